import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.tasks.frames.key_frames import key_frames


@given(st.integers(1, 30), st.integers(0, 2**32), st.floats(-1, 1), st.data())
def test_each_kept_frame_differs_from_the_one_before_and_each_dropped_one_does_not(length, seed, kappa, data):
    alike = np.random.default_rng(seed).uniform(-1, 1, (length, length))
    start, count = data.draw(st.integers(0, length - 1)), data.draw(st.integers(1, 40))
    kept = key_frames(alike, start, kappa, count)
    assert kept[0] == start
    assert kept == sorted(set(kept))
    assert len(kept) <= count
    last = length if len(kept) < count else kept[-1] + 1
    for frame in range(start + 1, last):
        before = max(k for k in kept if k < frame)
        assert (frame in kept) == (alike[before, frame] <= kappa)


def test_the_paper_by_hand():
    """A B B' C: B' looks like B and goes; C is compared with B, not with B'."""
    alike = np.array([[1, 0.5, 0.5, 0.5], [0.5, 1, 0.95, 0.9], [0.5, 0.95, 1, 0.99], [0.5, 0.9, 0.99, 1]])
    assert key_frames(alike, 0, 0.9, 4) == [0, 1, 3]
    assert key_frames(alike, 0, 0.9, 2) == [0, 1]
