"""torch refuses a device named twice, and verl joins "cpu:gloo" with "<device>:<backend>", which is the same here."""

from __future__ import annotations

from collections.abc import Callable


def wrap_init_process_group(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes `torch.distributed.init_process_group` take equal backends for one."""

    def init_process_group(backend: str | None = None, *args: object, **kwargs: object) -> None:
        if backend is not None:
            backend = ",".join(dict.fromkeys(backend.split(",")))
        stock(backend, *args, **kwargs)

    return init_process_group
