"""Evaluation sets, decoding and its metrics; engine libraries are imported inside functions only."""
