"""A run's progress while it goes, and its curves and checkpoint after it."""
