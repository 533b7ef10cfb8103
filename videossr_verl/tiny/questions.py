"""Questions on generated videos that no pretext task asks: which way, how many, which first, when.

Their rows are another data set's to this package: in verl's schema, with data sources of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videossr_verl.rows.schema import Row, make_row
from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.tasks.contract import Sample
from videossr_verl.tasks.seeds import digest
from videossr_verl.tiny.generated_videos import generate_videos
from videossr_verl.tiny.question_scenes import (
    FIRST_SHOWN,
    FPS,
    KINDS,
    LAST,
    SECONDS,
    SHOWN,
    SIDE,
    STEP,
    Spot,
    draw_question_frames,
    draw_spots,
    plan_scene,
)
from videossr_verl.video.probe import probe
from videossr_verl.video.specs import VideoSpec

DATA_SET = "transfer"  # a row's data source is "transfer/KIND", that of a control "transfer/KIND/CONTROL"
CLIP = ClipSettings(num_frames=len(SHOWN), fps=1 / STEP, min_pixels=784, max_pixels=3136)  # as in videossr_tiny

_TEXTS = {
    "direction": "<video>\nA spot moves through this video. Which way? "
    "Answer only with one word: left, right, up or down.",
    "how_many": "<video>\nHow many spots are in this video? Answer only with a number from 1 to 4.",
    "which_first": "<video>\nA red and a blue spot appear in this video. Which comes first? "
    "Answer only with red or blue.",
    "when": "<video>\nA spot flashes in this video. At which second? Answer only with the seconds, for example 1.5.",
}
_LATE = 2 * STEP  # how late the careless annotator reacts
_AT_ONCE = 3 * STEP  # the longest between the starts of two spots that are mixed up


class Question(NamedTuple):
    """A question, and what is drawn in its video."""

    sample: Sample
    spots: list[Spot]


def draw_question(kind: str, rng: np.random.Generator) -> tuple[Question, np.ndarray]:
    """Returns a fresh question and its video as it is shown, uint8 (8, 56, 56, 3), for supervised training. No file has
    it: it is drawn at that size.
    """
    answer = KINDS[kind][int(rng.integers(len(KINDS[kind])))]
    spots = plan_scene(kind, answer, rng)
    times = tuple(FIRST_SHOWN + seconds for seconds in SHOWN)
    spec = VideoSpec("", times, SHOWN, SIDE, SIDE, CLIP.min_pixels, CLIP.max_pixels, kind)
    side = math.isqrt(CLIP.max_pixels)
    return Question(Sample(kind, _TEXTS[kind], (spec,), answer), spots), draw_spots(spots, rng, times, side, side)


def make_questions(folder: Path, root: Path, count: int, seed: int) -> list[Question]:
    """Writes the videos, one for each question, and returns `count` questions of each kind, in a random order.

    Each answer of a kind comes equally often, or once more than others.

    Args:
        folder: below `root`, where the videos are kept; those that are there are taken as they are.
        seed: of the scenes and the order; no two seeds have a scene in common.
    """
    questions = []
    for number, (kind, answers) in enumerate(KINDS.items()):
        own = seed * len(KINDS) + number
        for place, answer in enumerate(answers):
            scene = partial(draw_question_frames, kind, answer)
            of_answer = len(range(place, count, len(answers)))
            paths = generate_videos(folder, of_answer, own, FPS, SECONDS, SIDE, scene, f"{kind}_{answer}")
            for i, path in enumerate(paths):
                spec = sample_clip(probe(path), path.relative_to(root).as_posix(), CLIP).spec(kind)
                spots = plan_scene(kind, answer, np.random.default_rng([own, i]))
                questions.append(Question(Sample(kind, _TEXTS[kind], (spec,), answer), spots))
    return [questions[place] for place in np.random.default_rng(seed).permutation(len(questions))]


def to_row(sample: Sample, index: int, split: str) -> Row:
    """Returns the row of a question of `make_questions`."""
    (video,) = sample.videos
    row = make_row(
        subset=sample.task,
        video_id=video.video,
        look_alike_id=video.video,
        sample={
            "task": sample.task,
            "question": sample.question,
            "answer": sample.answer,
            "videos": [video.to_row()],
            "images": [],
            "knobs": {},
            "seed": index,
            "details": {},
            "hash": digest(sample.task, video.video),
        },
        index=index,
        split=split,
        preset=DATA_SET,
    )
    return {**row, "data_source": f"{DATA_SET}/{sample.task}"}


def carelessly_answered(question: Question, share: float, rng: np.random.Generator) -> Question:
    """Returns the question with the answer of an annotator who makes the kind's mistake that often, 0 to 1.

    The annotator mixes up left and right, overlooks one of more than two spots, mixes up spots that follow each other
    at once, and reacts late. So there are videos of each kind about which the annotator is right.
    """
    if rng.random() >= share:
        return question
    mistake = _MISTAKES[question.sample.task](question.sample.answer, question.spots)
    return question._replace(sample=replace(question.sample, answer=mistake))


def _mixes_up_sides(answer: str, spots: list[Spot]) -> str:
    return {"left": "right", "right": "left"}.get(answer, answer)


def _overlooks_one(answer: str, spots: list[Spot]) -> str:
    return str(int(answer) - 1) if int(answer) > 2 else answer


def _takes_the_last(answer: str, spots: list[Spot]) -> str:
    first, last = spots
    at_once = last.start - first.start <= _AT_ONCE
    return next(colour for colour in KINDS["which_first"] if (colour != answer) == at_once)


def _reacts_late(answer: str, spots: list[Spot]) -> str:
    late = float(answer) + _LATE
    return f"{late:g}" if late <= LAST else answer


_MISTAKES: dict[str, Callable[[str, list[Spot]], str]] = {
    "direction": _mixes_up_sides,
    "how_many": _overlooks_one,
    "which_first": _takes_the_last,
    "when": _reacts_late,
}
