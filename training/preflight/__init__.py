"""What a training run will do, told before it starts: what is cut off, steps, memory, hours and price.

`check.preflight` is arithmetic on the rows' lengths and the model's shape: no model is loaded and
nothing trained, and a change of settings is answered in milliseconds.
"""
