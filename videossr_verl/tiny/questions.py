"""Questions on generated videos that no pretext task asks: which way, how many, which first, when.

Their rows are another data set's to this package: in verl's schema, with data sources of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videossr_verl.rows.schema import Row, make_row
from videossr_verl.tasks.clip import Clip, ClipSettings, sample_clip
from videossr_verl.tasks.contract import Sample
from videossr_verl.tasks.seeds import digest
from videossr_verl.tiny.generated_videos import generate_videos
from videossr_verl.tiny.question_scenes import (
    FPS,
    KINDS,
    LAST,
    SECONDS,
    SHOWN,
    SIDE,
    STEP,
    Spot,
    draw_question_frames,
    plan_scene,
)
from videossr_verl.tiny.scenes import Drawn
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import probe

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
    """A question, the clip that it is about, and what is drawn there."""

    sample: Sample
    clip: Clip
    spots: list[Spot]


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
                clip = sample_clip(probe(path), path.relative_to(root).as_posix(), CLIP)
                sample = Sample(kind, _TEXTS[kind], (clip.spec(kind),), answer)
                questions.append(Question(sample, clip, plan_scene(kind, answer, np.random.default_rng([own, i]))))
    return [questions[place] for place in np.random.default_rng(seed).permutation(len(questions))]


def to_row(question: Question, index: int, split: str) -> Row:
    """Returns the row of a question."""
    sample, clip, _ = question
    row = make_row(
        subset=sample.task,
        video_id=clip.content_id,
        look_alike_id=clip.content_id,
        sample={
            "task": sample.task,
            "question": sample.question,
            "answer": sample.answer,
            "videos": [video.to_row() for video in sample.videos],
            "images": [],
            "knobs": {},
            "seed": index,
            "details": {},
            "hash": digest(sample.task, clip.content_id),
        },
        index=index,
        split=split,
        preset=DATA_SET,
    )
    return {**row, "data_source": f"{DATA_SET}/{sample.task}"}


def shown(question: Question, root: Path) -> Drawn:
    """Returns the question with the frames that a model is shown, for supervised training."""
    frames = decode(root / question.clip.video, question.clip.times, (56, 56))
    return Drawn(question.sample, [frames], {})


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
