"""Checks what Triton needs: it compiles a small C file for each kernel, in the trainer and in vLLM."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from videossr_verl.preflight.doctor.findings import Finding, failure, ok


def check_compiler() -> Iterator[Finding]:
    """Checks for a C compiler and for Python's headers. A machine without a GPU needs neither."""
    if os.environ.get("VERL_PLATFORM") == "cpu":
        return
    named = os.environ.get("CC")
    compiler = shutil.which(named) if named else next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not compiler:
        found = f"CC='{named}' is no program" if named else "there is none: Triton's kernels fail in the first step"
        yield failure("C compiler", found, "install gcc (Debian: build-essential), or set CC to one")
    elif not header.is_file():
        version = ".".join(sysconfig.get_python_version().split(".")[:2])
        found = f"'{header}' is not there: Triton's kernels fail in the first step"
        yield failure("C compiler", found, f"install Python's headers (Debian: python{version}-dev)")
    else:
        yield ok("C compiler", f"{compiler}, with Python's headers")
