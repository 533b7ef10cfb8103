"""What verl, vLLM and transformers lack for video prompts, put in as they are imported."""
