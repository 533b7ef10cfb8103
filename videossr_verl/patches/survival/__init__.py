"""Repairs for survival: a run survives lost groups, killed processes and unfinished checkpoints.

And what it ends with one sentence for: rewards that fail, and checkpoints that it cannot go on from.

verl 0.9.1 has no hooks for these, so methods of its trainer and its rollout workers are wrapped;
`videossr_verl.patches.table` names them in the order in which they lie around one another.
"""
