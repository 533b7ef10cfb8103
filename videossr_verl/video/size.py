"""The size at which the model sees a video."""

from __future__ import annotations

import math

from videossr_verl.video.rejected import RejectReason, VideoRejected

MAX_RATIO = 200  # qwen_vl_utils' limit of long side / short side


def target_size(height: int, width: int, min_pixels: int, max_pixels: int, factor: int) -> tuple[int, int]:
    """Returns (H, W) after the resize, the same as qwen_vl_utils' `smart_resize`.

    Args:
        height, width: source size as shown, pixels.
        min_pixels, max_pixels: limits of H * W.
        factor: H and W are multiples of it, see `families`.

    Raises:
        VideoRejected: extreme_shape, when no size of this shape fits.
        ValueError: an argument is out of range.
    """
    if min(height, width, factor, min_pixels) < 1 or max_pixels < min_pixels:
        raise ValueError(
            f"need positive sizes and min_pixels <= max_pixels, got height {height}, width {width}, "
            f"factor {factor}, min_pixels {min_pixels}, max_pixels {max_pixels}"
        )
    ratio = max(height, width) / min(height, width)
    if ratio > MAX_RATIO:
        raise VideoRejected(
            RejectReason.EXTREME_SHAPE,
            f"a {width}x{height} picture is {ratio:.0f}:1; the limit is {MAX_RATIO}:1",
        )
    target = [max(factor, round(side / factor) * factor) for side in (height, width)]
    if math.prod(target) > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        target = [math.floor(side / shrink / factor) * factor for side in (height, width)]
    elif math.prod(target) < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        target = [math.ceil(side * grow / factor) * factor for side in (height, width)]
    if 0 in target:
        raise VideoRejected(
            RejectReason.EXTREME_SHAPE,
            f"a {width}x{height} picture does not fit into {max_pixels} pixels with sides that are multiples "
            f"of {factor}; raise max_pixels",
        )
    return target[0], target[1]
