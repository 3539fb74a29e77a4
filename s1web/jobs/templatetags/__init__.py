"""What templates of jobs use."""
