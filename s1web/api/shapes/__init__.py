"""What is sent and taken, field by field; they read the very objects that pages show."""
