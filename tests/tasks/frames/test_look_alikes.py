"""Frames whose pixels hardly differ are the same picture, whatever the embedding says; others are left to it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.tasks.frames.look_alikes import MIN_DIFFERENCE, likeness
from videossr_verl.video.decode import decode
from videossr_verl.video.embedding import embed, similarity


def dark(count, noise=2.0, seed=0):
    pictures = np.random.default_rng(seed).normal(3, noise, (count, 60, 80, 3))
    return np.clip(pictures, 0, 255).round().astype(np.uint8)


def test_dark_frames_are_one_picture_for_every_embedding():
    frames = dark(6)
    np.testing.assert_array_equal(likeness(frames, np.eye(6, dtype=np.float32)), np.ones((6, 6)))


@given(st.integers(0, 40), st.integers(0, 40))
def test_how_much_must_differ(level, other):
    """Flat frames: 0.03 of 255 grey levels are 7.65."""
    frames = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (level, other)])
    same = abs(level - other) < MIN_DIFFERENCE * 255
    assert likeness(frames, np.eye(2, dtype=np.float32))[0, 1] == same


def test_a_small_thing_that_moves_is_a_difference():
    """A bright square of 1 / 64 of the picture."""
    frames = dark(2)
    frames[0, :8, :10] = frames[1, 52:, 70:] = 200
    assert likeness(frames, np.eye(2, dtype=np.float32))[0, 1] == 0


def test_frames_that_differ_are_left_to_the_embedding(real_clips):
    frames = decode(real_clips["bikes"], np.arange(0, 9, 1.0), (140, 392))
    vectors = embed(frames)
    alike = likeness(frames, vectors)
    np.testing.assert_array_equal(alike, alike.T)
    np.testing.assert_array_equal(
        alike - np.diag(np.diag(alike)), similarity(vectors) - np.diag(np.diag(similarity(vectors)))
    )
