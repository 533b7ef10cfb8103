"""VIUBench's table: one's own model stands among the published ones, with intervals, rates and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from videossr_verl.evaluate.viubench.score import COLUMNS, GROUPS, Column, overall

HEAD = (*COLUMNS.values(), *GROUPS, "All")


@cache
def published() -> dict[str, dict[str, float]]:
    """Returns the paper's rows, as model -> column -> percent."""
    text = files("videossr_verl.evaluate.viubench").joinpath("published.yaml").read_text(encoding="utf-8")
    return {model: dict(zip(HEAD, values, strict=True)) for model, values in yaml.safe_load(text).items()}


def as_data(name: str, columns: Sequence[Column]) -> dict[str, Any]:
    """Returns JSON data of one scored model."""
    return {"model": name, "columns": [asdict(column) for column in columns], "means": overall(columns)}


def as_markdown(scored: Mapping[str, Sequence[Column]]) -> str:
    """Returns a table in percent: the published rows, then `scored` in bold. Below it stand intervals, rates, and what
    is apart.
    """
    lines = [f"| model | {' | '.join(HEAD)} |", "|" + " --- |" * (len(HEAD) + 1)]
    lines += [_line(f"{model} (published)", row) for model, row in published().items()]
    for name, columns in scored.items():
        values = {column.name: column.value for column in columns if column.subset in COLUMNS} | overall(columns)
        lines.append(_line(f"**{name}**", values))
    for name, columns in scored.items():
        lines += ["", f"{name}, 95 % intervals over resampled videos:", ""]
        lines += ["| column | value | interval | questions | unread | missing |", "|" + " --- |" * 6]
        lines += [
            f"| {c.name} | {c.value:.1f} | {c.low:.1f} to {c.high:.1f} "
            f"| {c.samples} | {c.unread:.1%} | {c.missing:.1%} |"
            for c in columns
        ]
    return "\n".join(lines) + "\n"


def _line(name: str, values: Mapping[str, float]) -> str:
    cells = [f"{values[column]:.1f}" if column in values else "-" for column in HEAD]
    return f"| {name} | {' | '.join(cells)} |"
