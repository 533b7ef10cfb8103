"""Checks that imports need no compiling. A run starts six processes one after the other, and each imports torch,
transformers, verl and vLLM: from sources alone that takes each of them some ten seconds more.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from videossr_verl.preflight.doctor.findings import Finding, ok, warning

_LARGE = ("torch", "transformers", "verl", "vllm")


def check_bytecode() -> Iterator[Finding]:
    """Checks that the packages with the most modules are compiled, or that the first process may compile them."""
    found = {name: importlib.util.find_spec(name) for name in _LARGE}
    sources = {name: spec.origin for name, spec in found.items() if spec and spec.origin}
    bare = [name for name, source in sources.items() if not Path(importlib.util.cache_from_source(source)).exists()]
    if bare and sys.dont_write_bytecode:
        folder = Path(sources[bare[0]]).parent.parent
        remedy = f"`{sys.executable} -m compileall -q -j 0 {folder}`, once"
        yield warning("Python's caches", f"{', '.join(bare)} are compiled anew by each process of a run", remedy)
    else:
        yield ok("Python's caches", "imports need no compiling")
