"""What tasks do to frames, and what they look for in them."""
