"""Turns answers to benchmark questions into figures that can be compared with published ones."""
