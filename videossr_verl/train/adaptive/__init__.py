"""Draws training samples at load, at the difficulty that fits the model's running rewards. Off by default."""
