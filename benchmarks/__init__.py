"""Speed and memory of the product, measured through its own commands: `python -m benchmarks` prints JSON."""
