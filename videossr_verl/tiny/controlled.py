"""Samples for a learner that is shown a control of them (`rows.controls`) in training and in the test alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from videossr_verl.rows.controls import one_frame, shuffled
from videossr_verl.tasks.presets import Preset
from videossr_verl.tiny.scenes import Drawn, Scenes, draw

WHOLE = "whole"  # nothing is taken away
CONDITIONS = (WHOLE, "blind", "single_frame", "shuffled_frames")
_ORDERS = {"single_frame": one_frame, "shuffled_frames": shuffled}


def draw_controlled(scenes: Scenes, preset: Preset, subset: str, condition: str, rng: np.random.Generator) -> Drawn:
    """Returns a fresh sample of the subset as one of CONDITIONS shows it.

    Unlike in the rows of a blind control, the videos that stand in for a sample's own may have the same answer: from
    videos that never have it, a learner could tell what is not the answer.
    """
    drawn = draw(scenes, preset, subset, rng)
    if condition == WHOLE:
        return drawn
    if condition == "blind":
        return _with_other_videos(drawn, scenes, preset, subset, rng)
    order = _ORDERS[condition]
    return drawn._replace(videos=[frames[order(len(frames), rng)] for frames in drawn.videos])


def _with_other_videos(drawn: Drawn, scenes: Scenes, preset: Preset, subset: str, rng: np.random.Generator) -> Drawn:
    while True:
        other = draw(scenes, preset, subset, rng)
        if other.sample.videos[0].video != drawn.sample.videos[0].video:
            return drawn._replace(sample=replace(drawn.sample, videos=other.sample.videos), videos=other.videos)
