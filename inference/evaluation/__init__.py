"""Evaluating a model on a benchmark: the run's description, its folder, its samples, and what they add up to."""
