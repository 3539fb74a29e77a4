"""Where a run is carried out: on this machine, on several nodes, or by Slurm; one interface, one log a launch."""
