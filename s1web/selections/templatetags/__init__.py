"""How figures of runs and selections are written."""
