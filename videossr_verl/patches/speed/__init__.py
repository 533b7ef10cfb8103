"""Repairs of what is slow: the rollouts of a prompt share work that is done once, and nobody waits."""
