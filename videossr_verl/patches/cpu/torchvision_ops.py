"""Lets `import torchvision` work where its C++ extension cannot load.

PyPI's x86-64 torchvision is a CUDA build. Beside a torch without CUDA its `_C` does not load, and `import
torchvision` then dies with "operator torchvision::nms does not exist". The Qwen video processors need
torchvision, but neither operator, so declaring them is enough. `videossr_cpu.pth` does this at the start of every
Python process, because vLLM and Ray start processes that load no plugin.
"""

from __future__ import annotations

from types import ModuleType

_libraries = []  # the declarations live as long as their library object


def declare_missing_ops(extension: ModuleType) -> None:
    """Declares the two operators where torchvision's extension did not load."""
    # torchvision/__init__.py imports `extension` first, and asks for the operators after that.
    if extension._has_ops() or _libraries:
        return
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)
