"""Videos as data: what a file holds (probe), which frames are shown (sampling), their pixels (decode)."""
