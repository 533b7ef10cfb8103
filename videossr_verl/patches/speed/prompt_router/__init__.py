"""All answers of a prompt come from one rollout server."""
