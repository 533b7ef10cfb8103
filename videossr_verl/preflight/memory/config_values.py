"""Reads values of a Hydra config by their dotted names. A wrong one is a BadInput that names it."""

from __future__ import annotations

from typing import Any

from videossr_verl.errors import BadInput

_REQUIRED: Any = object()


class ConfigValues:
    """A reader of one config. Each method gives `default` where nothing, or null, is set, and refuses if it has no
    default.
    """

    def __init__(self, config: Any) -> None:
        self._config = config

    def __call__(self, key: str, default: Any = _REQUIRED) -> Any:
        """Returns the value of `key`, of any type."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            value = OmegaConf.select(self._config, key)
        except OmegaConfBaseException as error:
            raise BadInput(f"{key} cannot be read: {' '.join(str(error).split())}") from error
        if value is not None:
            return value
        if default is _REQUIRED:
            raise BadInput(f"{key} is not set")
        return default

    def number(self, key: str, default: Any = _REQUIRED, *, least: int = 1) -> Any:
        """Returns a whole number of at least `least`, or `default`."""
        value = self(key, default)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value != default and not (whole and value >= least):
            raise BadInput(f"{key} is {value}, must be a whole number of at least {least}")
        return value

    def share(self, key: str) -> float:
        """Returns a number above 0 and at most 1."""
        value = self(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise BadInput(f"{key} is {value}, must be a number above 0 and at most 1")
        return float(value)

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """Returns the value, which must be true or false."""
        value = self(key, default)
        if not isinstance(value, bool):
            raise BadInput(f"{key} is {value}, must be true or false")
        return value

    def text(self, key: str, default: Any = _REQUIRED) -> Any:
        """Returns the value, which must be a string."""
        value = self(key, default)
        if value is not default and not isinstance(value, str):
            raise BadInput(f"{key} is {value}, must be text")
        return value
