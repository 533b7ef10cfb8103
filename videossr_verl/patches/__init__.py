"""Repairs of verl, vLLM and transformers for video prompts, put in as these are imported."""
