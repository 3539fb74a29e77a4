"""The pool: sources, questions, traces, attempts and evaluation sets; import and annotation."""
