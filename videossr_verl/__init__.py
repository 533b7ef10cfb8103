"""Self-supervised video pretext tasks for reinforcement learning with verl.

Kept free of imports: this package is imported at the start of every Ray and vLLM process.
"""
