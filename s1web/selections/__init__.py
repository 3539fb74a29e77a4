"""Curation runs, their decisions, and the selections that come out of them."""
