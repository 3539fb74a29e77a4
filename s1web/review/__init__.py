"""What people decide on questions."""
