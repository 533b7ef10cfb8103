"""Draws the rooms of the house for docs/architecture.md: who imports from whom, without what follows from other arrows.

python docs/draw_rooms.py        the picture, as Mermaid text
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def _rules() -> ModuleType:
    """tests/test_rooms.py, which knows the floors and who belongs where."""
    spec = importlib.util.spec_from_file_location("test_rooms", ROOT / "tests" / "test_rooms.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _arrows(rules: ModuleType) -> dict[str, set[str]]:
    """Room -> rooms that it imports from."""
    arrows: dict[str, set[str]] = {room: set() for room in rules.FLOORS}
    for path, here in rules.files():
        if here in arrows:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            arrows[here] |= {room for room in map(rules.room, rules.imports(tree)) if room and room != here}
    return arrows


def _without_detours(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that no path of others replaces."""

    def reached(start: str) -> set[str]:
        return arrows[start].union(*(reached(room) for room in arrows[start]))

    return {
        room: {to for to in direct if not any(to in reached(other) for other in direct - {to})}
        for room, direct in arrows.items()
    }


def picture() -> str:
    """A Mermaid flowchart, the ground floor last."""
    rules = _rules()
    lines = ["flowchart TD"]
    for room, below in reversed(_without_detours(_arrows(rules)).items()):
        lines += [f"    {room} --> {to}" for to in sorted(below, key=rules.FLOORS.index, reverse=True)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(picture())
