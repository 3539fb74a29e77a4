"""Generator of the bundled demo pool: invented problems with solutions that are true by construction."""
