"""What a model sees: a row's frames as pixels, its prompt as tokens, and both as a picture for people."""
