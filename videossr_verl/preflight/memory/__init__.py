"""Plans how much memory a run needs, before anything is built or started (`videossr plan`, `grpo.sh --plan`).

Exact: parameters, what FSDP2 keeps of them on each GPU, the bytes of a cached token, pixels. Estimates: activations
(one rank of two models was measured on an H200 and came within 7 % of its plan, benchmarks/README.md); and, never
compared with a GPU, what libraries keep for themselves and vLLM's working memory.
"""
