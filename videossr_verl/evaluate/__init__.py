"""Answers to benchmark questions -> figures that can be compared with published ones."""
