"""Installed things by name: tasks, their rewards, and the rules that attack them.

Each kind is an entry point group. A package adds to it in its pyproject.toml, as this one does; there is no other way
in. If something is missing or cannot be loaded, one sentence says what, of which package, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

TASKS = "videossr_verl.tasks"
REWARDS = "videossr_verl.rewards"
ATTACKS = "videossr_verl.attacks"
_PAGE = "docs/add_a_task.md"


class RegistryError(ValueError):
    """The error for something that is not installed, not whole or not loadable. Its message is one sentence."""


@cache
def entries(group: str) -> dict[str, EntryPoint]:
    """Returns the entry points of a group by name, sorted. Raises RegistryError where two packages give one name."""
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        if entry.name in found:
            both = f"'{found[entry.name].value}' and '{entry.value}'"
            raise RegistryError(f"two packages give {group} '{entry.name}', {both}: uninstall one, or rename its task")
        found[entry.name] = entry
    return found


@cache
def load(group: str, name: str) -> ModuleType:
    """Returns the module called `name`. Raises RegistryError where none is installed, or it does not load."""
    if name not in entries(group):
        known = ", ".join(entries(group)) or "none"
        where = f"no installed package has it in its entry point group {group}"
        raise RegistryError(f"unknown task '{name}': {where}; known: {known}")
    try:
        return entries(group)[name].load()
    except Exception as error:  # another package's code
        where = f"{group} '{name}' = '{entries(group)[name].value}'"
        said = f"{type(error).__name__}: {error}"
        raise RegistryError(f"entry point {where} does not load ({said}): mend or uninstall its package") from error


def check_has(module: ModuleType, names: Iterable[str], group: str, task: str) -> None:
    """Raises RegistryError unless the module of `task` has all `names`."""
    for name in names:
        if not hasattr(module, name):
            raise RegistryError(f"{group} '{task}': module '{module.__name__}' has no `{name}`, see {_PAGE}")
