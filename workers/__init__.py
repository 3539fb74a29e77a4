"""Celery tasks: thin shells that claim a job, call the code that does it, and store what came."""
