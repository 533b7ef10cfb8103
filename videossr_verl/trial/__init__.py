"""`videossr trial`: a few real GRPO steps on this machine with a model of random weights, and what they showed."""
