"""Jobs: work that workers carry out, and who is there to do it."""
