"""vLLM 0.28.0: on GPUs, model runner V2 answers for dense models; nothing of this package was ever tested with it.

It samples, positions videos (M-RoPE), caches the encoder's outputs and captures graphs by other code than V1, which the
CPU runs; and some of its buffers lie in memory that sleep mode discards before weights are exchanged.
"""

from __future__ import annotations

import os

CHOICE = "VLLM_USE_V2_MODEL_RUNNER"


def choose_v1() -> None:
    """Takes runner V1, unless somebody chose."""
    os.environ.setdefault(CHOICE, "0")
