"""The demo pool: true solutions, grades that follow from texts, defects where they are planted."""
