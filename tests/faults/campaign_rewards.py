"""Random completions to all tasks' rewards."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

from reward_fns import compute_score, parts

NAME = "random completions to each task's reward"
MEANS = "no exception, a finite reward from 0 to 1, and four times the text takes at most eight times as long"
TRIES = 4000
TRUTHS = {
    "anomaly_grounding": "2.6-4.3",
    "arrow_of_time": "1,4,6",
    "masked_video_prediction": "HAFD",
    "object_counting": "1,2,2",
    "snippet_localisation": "2.6-4.3",
    "temporal_jigsaw": "416235",
}
MARKS = (
    "{}",
    "Answer: {}",
    "<think>{}</think>{}",
    "<answer>{}</answer>",
    "\\boxed{{{}}}",
    '{{"answer": "{}"}}',
    "```json\n[{}]\n```",
    "**{}**",
    "| {} | {} |",
    "1. {}\n2. {}",
    "not {} but {}",
    "{} or {}",
    "${}$",
    "（{}）",
    "{} → {}",
    "between {} and {}",
)
SCRAPS = (
    *"0123456789.,-:;()[]{}<>/\\|*#_~`'\"=%$",
    *("\n", "\t", "\0", "\x1b[31m", "\u202e", "\ud800", "١٢", "²", "秒", "到", "三", "Ａ", "⑥"),
    *("A", "H", "clip 3", "1:05.1", "9" * 400, "1e999", "NaN", "-0", "two circles", "start", "ends at", "ms", "frames"),
)
LONG = 20_000  # characters, and four times as many
ENOUGH = 1.0  # seconds of CPU; what takes less is not compared


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Each try is a text and all tasks; one in twenty is long."""
    rng = random.Random(seed)
    for number in range(tries):
        task = rng.choice(list(TRUTHS))
        if number % 20:
            text = completion(task, rng)
            yield f"{task}: {text[:60]!r}", is_sound(task, text)
        else:
            piece = "".join(rng.choice((*SCRAPS, TRUTHS[task])) for _ in range(rng.randint(1, 4)))
            yield f"{task}: {piece[:60]!r} again and again", is_linear(task, piece)


def completion(task: str, rng: random.Random) -> str:
    """A text such as models write, around the truth, parts of it, and scraps."""
    truth = TRUTHS[task]
    parts = []
    for _ in range(rng.randint(1, 5)):
        start = rng.randrange(len(truth))
        inner = rng.choice((truth, truth[start:], truth[::-1], rng.choice(SCRAPS), rng.choice(SCRAPS) + truth))
        parts.append(rng.choice(MARKS).format(inner, rng.choice((truth, *SCRAPS))))
    text = rng.choice(("", " ", "\n", ", ")).join(parts)
    cut = rng.randrange(len(text) + 1)
    return rng.choice((text, text, text[:cut], text[cut:] + rng.choice(SCRAPS)))


def is_sound(task: str, text: str) -> bool:
    """Whether the reward of the text is one."""
    try:
        result = compute_score(f"videossr/{task}", text, TRUTHS[task], {"difficulty": "{}"})
    except Exception:  # whatever it is, a reward worker would end the run
        return False
    figures = [result[name] for name in ("score", "acc", "parsed", "chance")]
    figures += [result[name] for name in parts() if result[name] is not None]
    return all(math.isfinite(figure) and 0 <= figure <= 1 for figure in figures)


def is_linear(task: str, piece: str) -> bool:
    """Whether a text that repeats a piece is scored in a time that grows with its length."""
    short, long = (piece * (length // len(piece) + 1) for length in (LONG, 4 * LONG))
    took = []
    for text in (short, long):
        started = time.thread_time()
        if not is_sound(task, text):
            return False
        took.append(time.thread_time() - started)
    return took[1] < ENOUGH or took[1] < 8 * took[0]
