"""Evaluation runs: what was asked of which model, how far it is, and what came of it."""
