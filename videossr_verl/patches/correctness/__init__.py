"""Without these the rollout and the trainer see different prompts, a setting does nothing, or a run ends."""
