"""Three small tools for changing other people's modules without importing them early.

wrapt has such hooks too. But it acts on a module that is still being imported, before its functions are there. It also
forgets an action that failed: a second try to import the module would succeed, unpatched, without a word.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


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
    """Runs `action(module)` once module `name` is imported, or at once if it already is.

    Nothing is imported for it, so a process that never needs the module pays nothing, and whoever imports a
    name from the module gets what `action` left there. Actions on one module run in the order in which they were given.
    If one fails, the import fails, each time. `action` must do no harm when it runs twice.

    Raises:
        ImportError: the module's code is running just now, so that it can be changed neither yet nor later.
    """
    module = sys.modules.get(name)
    if module is None:
        sys.meta_path.insert(0, _AfterImport(name, action))
    elif getattr(module.__spec__, "_initializing", False):
        raise ImportError(f"module {name} cannot be patched while it is being imported", name=name)
    else:
        action(module)


Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def replace_function(module: ModuleType, name: str, wrap: Wrap) -> None:
    """Replaces `module.name` by `wrap(stock)`, also where loaded modules of the same package hold it by name.

    The new function keeps the old one as `.stock`. Several functions may wrap one; each does so once.
    """
    stock = getattr(module, name)
    new = _wrapped(stock, wrap)
    package = module.__name__.partition(".")[0]
    for loaded_name, loaded in list(sys.modules.items()):
        if loaded_name.partition(".")[0] == package and vars(loaded).get(name) is stock:
            setattr(loaded, name, new)


def replace_method(owner: type, name: str, wrap: Wrap) -> None:
    """Replaces `owner.name` by `wrap(stock)`; like `replace_function`, it keeps `.stock`, and each `wrap` acts once."""
    setattr(owner, name, _wrapped(getattr(owner, name), wrap))


def _wrapped(stock: Callable[..., Any], wrap: Wrap) -> Callable[..., Any]:
    """Returns `wrap(stock)` under the name of `stock`, or `stock` itself if it is wrapped already."""
    layer: Any = stock
    while hasattr(layer, "stock"):
        if layer.wrapped_by is wrap:
            return stock
        layer = layer.stock
    new: Any = functools.wraps(stock)(wrap(stock))
    new.stock, new.wrapped_by = stock, wrap
    return new
