"""Finding questions by their words: the index over question, solution and trace, and what is asked of it."""
