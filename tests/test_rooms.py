"""The house has one direction: a room imports from the rooms below it, and nothing from those above."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# From the ground up. A module or folder of videossr_verl is a room, named without the package.
FLOORS = (
    "reward_fns",
    "printable",
    "errors",
    "endings",
    "files",
    "families",
    "video",
    "tasks",
    "rows",
    "prompt",
    "cluster",
    "patches",
    "train",
    "vllm_plugin",
    "verl_plugin",
    "evaluate",
    "preflight",
    "run",
    "tiny",
    "trial",
    "data_preprocess",
    "cli",
)
MOST_LOOSE_MODULES = 5


def room(module):
    """Name of the room that a dotted module belongs to, None for other packages."""
    package, *inside = module.split(".")
    if package == "videossr_verl":
        return inside[0] if inside else None
    return package if package in ("data_preprocess", "reward_fns") else None


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "videossr_verl":
            yield from (f"videossr_verl.{name.name}" for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def files():
    for package in ("reward_fns", "videossr_verl", "data_preprocess"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, room(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_imports_go_down():
    upward = []
    for path, here in files():
        if here is None or here == "__init__":
            continue
        rooms = filter(None, map(room, imports(ast.parse(path.read_text(encoding="utf-8")))))
        above = [room for room in rooms if FLOORS.index(room) > FLOORS.index(here)]
        upward += [f"{path.relative_to(ROOT)} imports from {room}" for room in above]
    assert upward == []


def test_every_room_has_a_floor_and_few_modules_lie_loose():
    assert {room for _, room in files()} - {"__init__"} == set(FLOORS)
    loose = [path.stem for path in (ROOT / "videossr_verl").glob("*.py") if path.stem != "__init__"]
    assert len(loose) <= MOST_LOOSE_MODULES, loose


def test_the_picture_of_the_rooms_is_todays():
    command = [sys.executable, str(ROOT / "docs" / "draw_rooms.py")]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"```mermaid\n{drawn}```" in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
