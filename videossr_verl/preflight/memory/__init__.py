"""Plans how much memory a run needs and what crosses the network, before anything is built or started (`videossr plan`,
`grpo.sh --plan`).

These are exact: parameters, what FSDP2 keeps of them on each GPU, the bytes of a cached token, and pixels. These are
estimates: activations, what libraries keep for themselves, and vLLM's working memory. One rank of two models was
measured on an H200 and came within 7 % of its plan (benchmarks/README.md). The last two were never compared with a GPU.
"""
