"""How long a search takes. No imports, for the command line starts with it."""

STEPS = (0, 2, 4, 8, 14, 25, 45, 80, 130, 200)
"""Gradient steps of each effort."""
MAX_EFFORT = len(STEPS) - 1
