"""Laptop-sized models of the real architectures: the recipes' main job runs on them without a GPU."""
