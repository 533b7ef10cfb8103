"""Without these all is right and slow: what the rollouts of one prompt share is done once, and nobody waits."""
