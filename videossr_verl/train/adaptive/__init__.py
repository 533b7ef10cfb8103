"""Training samples drawn at load, at the difficulty that the model's running rewards call for. Off by default."""
