"""Whether frames have a direction in time that can be seen: do they differ from what they are when played backwards?

Both functions take thumbnails (`frames.visibility`), because differences of pixels are mostly noise.
"""

from __future__ import annotations

import numpy as np

from videossr_verl.tasks.frames.visibility import motion

CUT = 4.0  # a step so many times as large as the median of the others
MIN_CUT = 0.1  # and at least so large; neighbours in real clips differ by 0.03 to 0.24 in the median


def unlike_reverse(small: np.ndarray) -> float:
    """Returns how much thumbnails (T, 16, 16, 3) differ from themselves backwards, in [0, 1].

    The two are laid over each other in every way in which half of the frames or more meet, and the way with the least
    difference counts; of its frames that meet, the pair that differs most. So what stands still for half of the time
    has no difference, nor has what goes there and back, whenever it turns.
    """
    count = len(small)
    reverse, shifts = small[::-1], range(-(count // 2), count // 2 + 1)
    met = ((slice(max(0, s), count + min(0, s)), slice(max(0, -s), count - max(0, s))) for s in shifts)
    return min(float(motion(small[own], reverse[other]).max()) for own, other in met)


def has_cut(small: np.ndarray) -> bool:
    """Returns whether one step between thumbnails (T, 16, 16, 3) is far larger than the others, as where a scene ends.

    Frames with a cut differ from their reverse although nothing may move in either scene.
    """
    steps = motion(small[1:], small[:-1])
    largest = int(steps.argmax())
    return steps[largest] > MIN_CUT and steps[largest] > CUT * np.median(np.delete(steps, largest))
