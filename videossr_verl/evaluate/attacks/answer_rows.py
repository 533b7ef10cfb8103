"""Answers a data set's questions by all rules. The questions are rendered as a model is shown them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from reward_fns.registry import ATTACKS, check_has, entries, load
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.evaluate.questions import Question, questions
from videossr_verl.families import qwen3_vl
from videossr_verl.printable import tell
from videossr_verl.rows.schema import Row

_AT_ONCE = 4  # rows a worker takes
_WORTH = 64  # with fewer rows, one process is done before another has started

Answers = dict[str, dict[int, str]]
Rule = Callable[[Shown], str]


def answer_rows(rows: Sequence[Row], data_root: str | Path, workers: int) -> Answers:
    """Returns rule -> row's index -> answer. Leaves out rows whose video cannot be shown, or whose task has no rules.

    Raises:
        BadInput: no row's task has rules.
    """
    rows = _with_rules(rows)
    parts = [rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE)]
    found: Answers = {}
    with ExitStack() as stack, tqdm(total=len(rows), desc="attack", unit="question") as bar:
        work = partial(_answer_part, data_root=str(data_root))
        run = map(work, parts)
        if workers > 1 and len(rows) > _WORTH:
            # A fork of a process with threads may hang. OpenCV's own threads would only slow each other down.
            how = {"mp_context": get_context("spawn"), "initializer": cv2.setNumThreads, "initargs": (1,)}
            run = stack.enter_context(ProcessPoolExecutor(workers, **how)).map(work, parts)
        for part, answers in zip(parts, run, strict=True):
            for index, rule, text in answers:
                found.setdefault(rule, {})[index] = text
            bar.update(len(part))
    return found


def rules_of(task: str) -> Mapping[str, Rule] | None:
    """Returns a task's rules by name, or None if no package has any. Raises RegistryError for a module without
    rules.
    """
    if task not in entries(ATTACKS):
        return None
    module = load(ATTACKS, task)
    check_has(module, ("RULES",), ATTACKS, task)
    return module.RULES


def _with_rules(rows: Sequence[Row]) -> Sequence[Row]:
    """Returns the rows whose task has rules, and tells of the others."""
    without = sorted(task for task in {row["extra_info"]["task"] for row in rows} if rules_of(task) is None)
    if not without:
        return rows
    left = [row for row in rows if row["extra_info"]["task"] not in without]
    sentence = f"no rules are installed for task '{without[0]}' (entry point group {ATTACKS})"
    if not left:
        raise BadInput(f"{sentence}; known: {', '.join(entries(ATTACKS))}")
    tell(f"note: {sentence}: its {len(rows) - len(left)} questions are left out", file=sys.stderr)
    return left


def _answer_part(rows: Sequence[Row], data_root: str) -> list[tuple[int, str, str]]:
    """Runs in a worker. Returns (index, rule, answer) of each row and rule."""
    return [answer for row, shown in _shown(rows, data_root) for answer in _answers(row, shown)]


def _answers(row: Row, shown: Shown) -> Iterator[tuple[int, str, str]]:
    for name, rule in (rules_of(row["extra_info"]["task"]) or {}).items():
        yield row["extra_info"]["index"], name, rule(shown)


def _shown(rows: Sequence[Row], data_root: str) -> Iterator[tuple[Row, Shown]]:
    for row, (_, question) in zip(rows, questions(rows, data_root, qwen3_vl.FACTOR), strict=True):
        if isinstance(question, Question):
            yield row, as_shown(question)


def as_shown(question: Question) -> Shown:
    """Returns what a model sees and reads of a question."""
    return Shown(
        question=question.messages[-1]["content"],
        videos=tuple(frames.permute(0, 2, 3, 1).numpy() for frames, _ in question.videos),
        clocks=tuple(np.array(metadata["frames_indices"]) / metadata["fps"] for _, metadata in question.videos),
        images=tuple(np.asarray(image) for image in question.images),
    )
