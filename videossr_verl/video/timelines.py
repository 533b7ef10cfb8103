"""One time axis for a file whose clock starts again: recordings joined one after the other, clocks set back.

As players do, each part is shown right after the one before. A file that says "0 to 4 s" twice lasts 8 s.
"""

from __future__ import annotations

import heapq

import numpy as np

NO_TIME = -(2**63)
# The most pictures that a decoder of any codec holds back to show them later. A picture that belongs before more than
# these cannot be from the same recording.
MAX_REORDERED = 16


def find_timelines(times: np.ndarray, shown: np.ndarray, key: np.ndarray, longest_pause: float) -> list[int]:
    """Returns where another clock begins: positions in decoding order, 0 first.

    Another clock begins in three places: at a key frame that would be shown before something older, at any frame that
    would be shown before more than MAX_REORDERED older ones, and after a pause longer than any real one. If a clock is
    set back by fewer frames, within a group of pictures, this cannot be told from reordering.

    Args:
        times: int64 (P,), presentation times in decoding order; NO_TIME where there is none.
        shown, key: bool (P,), whether it becomes a picture; whether decoding may start there.
        longest_pause: in the units of `times`, between a frame and the latest one before it.
    """
    starts, latest = [0], None
    newest: list[int] = []  # a heap of the MAX_REORDERED + 1 latest times since the clock began
    for position in np.flatnonzero(shown & (times != NO_TIME)).tolist():
        time, is_key = int(times[position]), bool(key[position])
        if latest is not None:
            before_all = len(newest) > MAX_REORDERED and time < newest[0]
            if (time < latest and (is_key or before_all)) or time - latest > longest_pause:
                starts.append(position)
                latest, newest = None, []
        latest = time if latest is None else max(latest, time)
        (heapq.heappushpop if len(newest) > MAX_REORDERED else heapq.heappush)(newest, time)
    return starts


def join_timelines(times: np.ndarray, shown: np.ndarray, durations: np.ndarray, starts: list[int]) -> np.ndarray:
    """Returns presentation times (P,) on one axis, from `find_timelines`: each part starts where the one before ends.

    Args:
        times, shown: as there.
        durations: int64 (P,), how long each is shown; 0 where the file does not say.
    """
    joined, end = times.copy(), None
    for start, stop in zip(starts, [*starts[1:], len(times)], strict=True):
        timed = times[start:stop] != NO_TIME
        part = start + np.flatnonzero(timed & shown[start:stop])
        if not len(part):
            continue
        if end is not None:
            joined[start:stop][timed] += end - int(times[part].min())
        last = int(part[joined[part].argmax()])
        end = int(joined[last]) + (int(durations[last]) if durations[last] > 0 else _usual_step(times[part]))
    return joined


def _usual_step(times: np.ndarray) -> int:
    steps = np.diff(np.unique(times))
    return max(1, int(np.median(steps))) if len(steps) else 1
