"""Repairs for survival: a run survives lost groups, killed processes and unfinished checkpoints.

It ends with one sentence for rewards that fail, and for checkpoints from which it cannot go on.

verl 0.9.1 has no hooks for these, so methods of its trainer and its rollout workers are wrapped;
`videossr_verl.patches.table` names them in the order in which they lie around one another.
"""
