"""Labels as a careless annotator would write them, for a warm start that has something to learn.

A model that learned from them makes the same mistakes, although it sees better: it overlooks changes and shapes, tells
what happened backwards, takes what never happened for what did. GRPO pays for the truth, so it can pass its teacher.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

import numpy as np

from videossr_verl.errors import BadInput
from videossr_verl.tasks.contract import Sample
from videossr_verl.tiny.scenes import Drawn


def carelessly_labelled(drawn: Drawn, share: float, rng: np.random.Generator) -> Drawn:
    """Returns the sample with the answer that the annotator writes down.

    Args:
        share: how often the annotator makes the task's mistake, 0 to 1.

    Raises:
        BadInput: nobody has thought of a mistake in this task.
    """
    sample = drawn.sample
    if sample.task not in _MISTAKES:
        raise BadInput(f"no careless labels for task '{sample.task}', only for {', '.join(_MISTAKES)}: choose --tasks")
    return drawn._replace(sample=replace(sample, answer=_MISTAKES[sample.task](sample, drawn.knobs, share, rng)))


def _overlooks_the_change(sample: Sample, knobs: Mapping[str, Any], share: float, rng: np.random.Generator) -> str:
    """Writes an empty segment."""
    return sample.answer if rng.random() >= share else "0.0-0.0"


def _overlooks_shapes(sample: Sample, knobs: Mapping[str, Any], share: float, rng: np.random.Generator) -> str:
    """Overlooks one shape of each kind."""
    if rng.random() >= share:
        return sample.answer
    return ",".join(str(max(0, int(count) - 1)) for count in sample.answer.split(","))


def _tells_it_backwards(sample: Sample, knobs: Mapping[str, Any], share: float, rng: np.random.Generator) -> str:
    """Orders the clips from the latest to the earliest."""
    return sample.answer if rng.random() >= share else sample.answer[::-1]


def _takes_a_distractor(sample: Sample, knobs: Mapping[str, Any], share: float, rng: np.random.Generator) -> str:
    """Ends with the first candidate that does not belong there."""
    if rng.random() >= share:
        return sample.answer
    candidates = ascii_uppercase[: knobs["num_masked"] + knobs["num_distractors"]]
    return sample.answer[:-1] + next(letter for letter in candidates if letter not in sample.answer)


_MISTAKES: dict[str, Callable[[Sample, Mapping[str, Any], float, np.random.Generator], str]] = {
    "anomaly_grounding": _overlooks_the_change,
    "masked_video_prediction": _takes_a_distractor,
    "object_counting": _overlooks_shapes,
    "temporal_jigsaw": _tells_it_backwards,
}
