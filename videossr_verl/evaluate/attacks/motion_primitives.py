"""Rules for motion primitives."""
RULES = {}
