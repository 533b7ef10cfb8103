"""Findings of checks, and a table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVELS = ("ok", "warning", "failure")  # in order; the exit code is the place of the worst: 0, 1 or 2


@dataclass(frozen=True)
class Finding:
    """One check's outcome.

    Attributes:
        level: one of LEVELS.
        check: what was looked at, a few words.
        found: what was seen.
        remedy: what to do; empty where all is well.
    """

    level: str
    check: str
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Makes a finding for what is well."""
    return Finding("ok", check, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Makes a finding for what is slow, missing or unproven, while training can start."""
    return Finding("warning", check, found, remedy)


def failure(check: str, found: str, remedy: str) -> Finding:
    """Makes a finding for what stops training, or would make it go wrong."""
    return Finding("failure", check, found, remedy)


def worst(nodes: Mapping[str, Sequence[Finding]]) -> int:
    """Returns the exit code: 0 all well, 1 warnings, 2 failures."""
    return max((LEVELS.index(f.level) for findings in nodes.values() for f in findings), default=0)


def as_text(nodes: Mapping[str, Sequence[Finding]]) -> str:
    """Returns one table for all nodes. A line that is the same on all of them stands there once."""
    places: dict[Finding, list[str]] = {}
    for node, findings in nodes.items():
        for finding in findings:
            places.setdefault(finding, []).append(node)
    order = sorted(places, key=lambda f: -LEVELS.index(f.level))
    width = max((len(finding.check) for finding in order), default=0)
    lines = []
    for finding in order:
        where = "" if len(places[finding]) == len(nodes) else f"  [{', '.join(places[finding])}]"
        lines.append(f"{finding.level:<8} {finding.check:<{width}}  {finding.found}{where}")
        if finding.remedy:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.remedy}")
    return "\n".join(lines)
