"""Tells who forgot VERL_PLATFORM=cpu, before a library fails on it in its own words."""

from __future__ import annotations

from videossr_verl.errors import BadInput


def check_torchvision() -> None:
    """Raises BadInput if torchvision, which every video processor needs, does not load beside this torch."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:  # "operator torchvision::nms does not exist"
        raise BadInput("torchvision cannot be loaded: on a machine without a GPU, set VERL_PLATFORM=cpu") from error
