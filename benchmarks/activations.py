"""The memory that one pass of an FSDP2 model takes for activations, on a CPU too, where no allocator counts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

import torch
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker, _FSDPRefType
from torch.distributed.fsdp import FSDPModule
from torch.utils._pytree import tree_leaves


def peak_activations(model: FSDPModule, run: Callable[[], object]) -> int:
    """The most bytes that activations and their gradients take at a moment of `run`.

    PyTorch's tracker follows every tensor that an operator makes until it is freed, and knows FSDP's parameters, their
    gathered copies and their gradients, which are left out. What a kernel takes for itself is not seen. `model` has
    computed before, so that its gathered parameters are there.
    """
    tracker = _Tracker(model)
    with ExitStack() as hooks, tracker:
        for parameter in _gathered_parameters(model):
            hooks.callback(parameter.register_post_accumulate_grad_hook(tracker.is_gradient).remove)
        run()
    return tracker.peak


class _Tracker(FSDPMemTracker):
    """Knows at once what belongs to parameters. PyTorch's takes gradients for activations until a layer is done, and
    what FSDP copies them to as well, where a single rank sends nothing.
    """

    def __init__(self, model: FSDPModule) -> None:
        super().__init__(model)
        self.peak, self._in_fsdp = 0, False

    def is_gradient(self, parameter: torch.Tensor) -> None:
        self._update_and_maybe_create_winfos(parameter.grad, _FSDPRefType.UNSHARDED_GRAD)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = super().__torch_dispatch__(func, types, args, kwargs)
        if self._in_fsdp:
            for tensor in tree_leaves(found):
                if isinstance(tensor, torch.Tensor):
                    self._update_and_maybe_create_winfos(tensor, _FSDPRefType.ALL_GATHER)
        now = self._curr_mem_snap.get(torch.device("cpu"), {})
        self.peak = max(self.peak, now.get(_FSDPRefType.ACT, 0) + now.get(_FSDPRefType.TEMP, 0))
        return found

    def _fsdp_state_pre_forward(self, module: FSDPModule, stock: Callable) -> Callable:
        return super()._fsdp_state_pre_forward(module, self._of_parameters(stock))

    def _fsdp_param_group_pre_backward(self, module: FSDPModule, stock: Callable) -> Callable:
        return super()._fsdp_param_group_pre_backward(module, self._of_parameters(stock))

    def _fsdp_param_group_post_backward(self, module: FSDPModule, stock: Callable) -> Callable:
        return super()._fsdp_param_group_post_backward(module, self._of_parameters(stock))

    def _of_parameters(self, stock: Callable) -> Callable:
        @wraps(stock)
        def run(*args: Any, **kwargs: Any) -> Any:
            self._in_fsdp = True
            try:
                return stock(*args, **kwargs)
            finally:
                self._in_fsdp = False

        return run


def _gathered_parameters(model: FSDPModule) -> list[torch.nn.Parameter]:
    units = [module for module in model.modules() if isinstance(module, FSDPModule)]
    groups = [group for unit in units if (group := unit._get_fsdp_state()._fsdp_param_group)]
    found = [part._unsharded_param for group in groups for part in group.fsdp_params]
    return [parameter for parameter in found if parameter.requires_grad]
