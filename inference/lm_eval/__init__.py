"""EleutherAI's lm-eval (0.4.13): our engines as one of its models, and our runs in its log format."""
