"""The recipe, pure: from a pool of questions to a selection and its ledger (s1 §2)."""
