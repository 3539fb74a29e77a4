"""The Django project and its apps: thin shells around the recipe."""
