"""vLLM's sampler compiles C++ in the first generation, whatever `enforce_eager` says.

That is half a minute on two cores, longer than a small run's steps.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def skip_torch_compile() -> None:
    """Has torch compile nothing in this process and those that it starts. TORCH_COMPILE_DISABLE=0 keeps compilation."""
    if os.environ.setdefault("TORCH_COMPILE_DISABLE", "1") == "1" and "torch._dynamo.config" in sys.modules:
        config: Any = sys.modules["torch._dynamo.config"]
        config.disable = True  # torch has read the variable already
