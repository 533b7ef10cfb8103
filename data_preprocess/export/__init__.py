"""Writes a data set's pixels and rows as other trainers read them."""
