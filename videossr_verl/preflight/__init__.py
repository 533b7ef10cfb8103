"""Checks before a run starts: does it fit, is the machine ready, do trainer and rollout see the same prompt?"""
