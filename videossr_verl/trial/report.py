"""A trial's findings as a table and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from videossr_verl.trial.try_machine import Finding

_WIDTH = 22
_SIGNS = {True: "ok", False: "FAILED", None: ""}


def as_table(findings: Sequence[Finding]) -> str:
    """Returns a line a finding."""
    return "\n".join(f"{f.name:{_WIDTH}} {_SIGNS[f.good]:6} {f.text}" for f in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Returns the findings as a JSON list of objects."""
    return json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1) + "\n"
