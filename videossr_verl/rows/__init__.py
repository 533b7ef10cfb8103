"""Rows of a dataset: their schema, their checks, and who reads them from files and folders."""
