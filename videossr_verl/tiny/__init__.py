"""Laptop-sized models of the real architectures. The quickstart runs on them without a GPU."""
