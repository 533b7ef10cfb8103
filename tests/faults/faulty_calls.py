"""Builds and sets `faulty_calls.c`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def compile_library(folder: Path) -> Path:
    """The shared library; RuntimeError without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler here: install gcc")
    library = folder / "faulty_calls.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def environment(library: Path, calls: str, path: str, error: int, **how: int | str) -> dict[str, str]:
    """This process's, in which `calls` on `path` fail with `error`; `how` as the head of the source says: one_in=..."""
    settings = {"calls": calls, "path": path, "errno": error, **how}
    faults = {f"FAULTY_{name.upper()}": str(value) for name, value in settings.items()}
    return {**os.environ, "LD_PRELOAD": str(library), **faults}
