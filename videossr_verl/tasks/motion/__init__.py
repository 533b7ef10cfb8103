"""The kinds of questions of motion primitives, a module each, and what they have in common."""
