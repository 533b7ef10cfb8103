"""How much memory one block of a video's data may take, and whether the machine has that much."""

from __future__ import annotations

MAX_PIXELS = 8192 * 4320  # the most in one picture; FFmpeg refuses larger ones before it allocates them
# The most bytes of one block of FFmpeg's memory: 4 bytes for each pixel of the largest picture, and a part more. A file
# may claim tables and pictures of any size, and FFmpeg notices only when it has made them.
MAX_BLOCK = 9 * MAX_PIXELS // 2
SPARE = 2 * MAX_BLOCK  # room for the block that was asked for, and for what was freed and taken since


def memory_is_left() -> bool:
    """Returns whether SPARE bytes are free. If so, a decoder that found no memory had asked for more than MAX_BLOCK."""
    try:
        return len(bytes(SPARE)) == SPARE  # zeros take no memory until somebody touches them
    except MemoryError:
        return False
