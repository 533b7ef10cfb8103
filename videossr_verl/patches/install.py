"""Puts the patches of `table.py` in their places, as these are imported."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Literal

from videossr_verl.patches.hooks import after_import, replace_function, replace_method
from videossr_verl.patches.table import PATCHES, Place


def install(process: Literal["verl", "vllm", "python"]) -> None:
    """Installs what a process of this kind needs. Patches for the CPU need VERL_PLATFORM=cpu. A second call changes
    nothing.
    """
    on_cpu = os.environ.get("VERL_PLATFORM") == "cpu"
    for patch in PATCHES:
        if patch.installed_by == process and (on_cpu or patch.purpose != "cpu"):
            for place in patch.places:
                _install(place)


def _install(place: Place) -> None:
    if place.how in ("environment", "at once"):
        load(place)()
    else:
        after_import(place.module, partial(_change, place))


def _change(place: Place, module: ModuleType) -> None:
    if place.how == "change":
        load(place)(module)
        return
    *owners, name = place.name.split(".")
    if not owners:
        replace_function(module, name, load(place))
        return
    owner = getattr(module, owners[0])
    replace_method(getattr(owner, "__ray_actor_class__", owner), name, load(place))


def load(place: Place) -> Callable[..., Any]:
    """Returns the function that changes the place."""
    module, _, function = place.by.partition(":")
    return getattr(importlib.import_module(module), function)
