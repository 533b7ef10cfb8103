"""What a model sees: a row's frames as pixels and its prompt as tokens. Draws both as a picture for people."""
