"""Rows of a dataset: their schema, what is checked of them, and who reads them from files and folders."""
