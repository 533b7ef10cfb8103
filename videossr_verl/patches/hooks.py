"""Three small tools for changing other people's modules without importing them early."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _AfterImport(MetaPathFinder):
    """Finds one module as everybody else does, and runs `action` right after its code."""

    def __init__(self, name: str, action: Callable[[ModuleType], None]) -> None:
        self._name, self._action, self._searching = name, action, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_then_act(module: ModuleType) -> None:
            execute(module)
            self._action(module)

        spec.loader.exec_module = execute_then_act
        return spec


def after_import(name: str, action: Callable[[ModuleType], None]) -> None:
    """Runs `action(module)` once module `name` is imported; at once if it already is.

    Nothing is imported for it, so a process that never needs the module pays nothing, and whoever imports a
    name from the module gets what `action` left there. `action` must do no harm when it runs twice.
    """
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        action(module)
    else:
        sys.meta_path.insert(0, _AfterImport(name, action))


def replace_function(
    module: ModuleType, name: str, wrap: Callable[[Callable[..., object]], Callable[..., object]]
) -> None:
    """Replaces `module.name` by `wrap(stock)`, also where loaded modules of the same package hold it by name.

    The new function keeps the old one as `.stock`; replacing it a second time does nothing.
    """
    stock = getattr(module, name)
    if hasattr(stock, "stock"):
        return
    new = wrap(stock)
    new.stock = stock
    package = module.__name__.partition(".")[0]
    for loaded_name, loaded in list(sys.modules.items()):
        if loaded_name.partition(".")[0] == package and vars(loaded).get(name) is stock:
            setattr(loaded, name, new)


def replace_method(owner: type, name: str, wrap: Callable[[Callable[..., object]], Callable[..., object]]) -> None:
    """Replaces `owner.name` by `wrap(stock)`; like `replace_function`, it keeps `.stock` and acts once."""
    if hasattr(vars(owner).get(name), "stock"):
        return
    stock = getattr(owner, name)
    new = functools.wraps(stock)(wrap(stock))
    new.stock = stock
    setattr(owner, name, new)
