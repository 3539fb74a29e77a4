"""Training texts and fine-tuning; torch and trl are imported inside functions only."""
