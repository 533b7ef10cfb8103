"""How much memory a run needs, told before anything is built or started (`videossr plan`, `grpo.sh --plan`).

Exact: parameters, what FSDP2 keeps of them on each GPU, the bytes of a cached token, pixels. Estimates, never compared
with a GPU: activations, what libraries keep for themselves, vLLM's working memory.
"""
