"""VIUBench: its published metric, its baselines and its table."""
