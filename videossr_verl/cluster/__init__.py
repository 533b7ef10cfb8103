"""The machines and actors of a Ray cluster."""
