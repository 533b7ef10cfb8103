"""Repairs of what is wrong: without them rollout and trainer see different prompts, a setting does nothing, or a run
ends.
"""
