"""For video rows of other data sets qwen-vl-utils would choose torchcodec, whose wheels need CUDA libraries."""

from __future__ import annotations

import os


def choose_decord() -> None:
    """Has qwen-vl-utils read videos with decord. Keeps a reader that somebody asked for."""
    os.environ.setdefault("FORCE_QWENVL_VIDEO_READER", "decord")
