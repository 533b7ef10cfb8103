"""vLLM on CPU: keep linear weights as they are, so that new ones can be loaded into them after each step."""

from __future__ import annotations


def install() -> None:
    """Turns off vLLM's weight packing on CPU; plain `torch.nn.functional.linear` is used instead.

    vLLM packs the weights for oneDNN or sgl kernels and drops the originals. verl's weight sync then fails
    with "'Parameter' object has no attribute 'weight_loader'".
    """
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    import vllm.model_executor.layers.utils as layer_utils
    from vllm import _custom_ops

    _custom_ops._supports_onednn = False
    layer_utils.check_cpu_sgl_kernel = _no_kernel


def _no_kernel(n: int, k: int, dtype: object) -> bool:
    return False
