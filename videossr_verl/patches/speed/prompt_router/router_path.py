"""verl 0.9.1 looks for a router's YAML in the working folder and beside its own package only.

Where this package lies elsewhere, as an editable install, a setting that all its configs share could not name the file.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

_PACKAGE = "pkg://"  # as in verl's other paths


def wrap_resolve_config_path(stock: Callable[[str], str]) -> Callable[[str], str]:
    """Makes `resolve_config_path` read "pkg://package/folder/file" as well."""

    def resolve_config_path(config_path: str) -> str:
        package, _, file = config_path.removeprefix(_PACKAGE).partition("/")
        return str(files(package) / file) if config_path.startswith(_PACKAGE) else stock(config_path)

    return resolve_config_path
