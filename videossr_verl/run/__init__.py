"""A run while it goes and after it: its progress, its curves, its checkpoint for others."""
