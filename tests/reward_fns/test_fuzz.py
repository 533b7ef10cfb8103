"""No text that a model can write brings a reward worker down, and none earns more than 1."""

import math
import random

import pytest

from reward_fns import compute_score

TRUTHS = {
    "anomaly_grounding": "2.6-4.3",
    "arrow_of_time": "1,4,6",
    "masked_video_prediction": "HAFD",
    "motion_primitives/direction": "up-left",
    "motion_primitives/faster": "2",
    "motion_primitives/order": "213",
    "object_counting": "1,2,2",
    "spatial_jigsaw": "416235",
    "snippet_localisation": "2.6-4.3",
    "temporal_jigsaw": "416235",
}
PIECES = [
    *"0123456789.,-–—:;()[]{}<>/\\|*#_~`'\"!?=+&%$@^",
    *(
        "\n",
        "\t",
        "\r",
        "\0",
        "\x1b[31m",
        "\x7f",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\ud800",
        "\U0001f600",
        "é",
        "日本",
        "١٢٣",
        "²",
    ),
    *(
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "<|im_end|>",
        "\\boxed{",
        "}",
        "Answer:",
        "The answer is",
        "final",
    ),
    *(
        "seconds",
        "to",
        "from",
        "and",
        "then",
        "A",
        "B",
        "H",
        "HAFD",
        "up-left",
        "down",
        "213",
        "416235",
        "1,2,2",
        "1,4,6",
        "2.6-4.3",
        "2.6 - 4.3 s",
        "1e309",
    ),
    *("inf", "nan", "-0", "00:02", "1/0", "9" * 400, "0." + "0" * 400 + "1", " ", "  ", "null", "None", "[]", "{}"),
]


def _completions(number, seed):
    rng = random.Random(seed)
    for _ in range(number):
        glue = rng.choice(("", "", " ", "\n"))
        yield glue.join(rng.choice(PIECES) for _ in range(rng.choice((0, 1, 2, 3, 5, 8, 20, 60))))


def _check(task, text):
    result = compute_score(f"videossr/{task}", text, TRUTHS[task], {})
    assert 0 <= result["score"] <= 1, text
    assert math.isfinite(result["score"])
    assert result["acc"] in (0, 1)
    assert result["parsed"] in (0, 1)
    assert not (result["score"] > 0 and not result["parsed"])
    return result


@pytest.mark.parametrize("task", TRUTHS)
def test_ten_thousand_completions(task):
    """Made of what answers are made of, whole and broken; some are right, most cannot be read."""
    results = [_check(task, text) for text in _completions(10_000, seed=task)]
    read = sum(result["parsed"] for result in results)
    assert 20 < read < 9_000  # neither all refused nor all taken
    assert any(result["acc"] for result in results)


@pytest.mark.parametrize("task", TRUTHS)
@pytest.mark.parametrize(
    "piece", ["9", "1,", "1-", " ", "<think>", "<answer>", "A", "(", "\0", "\\boxed{", "Answer: ", "2.6-4.3\n", "é"]
)
def test_a_long_text_of_anything(task, piece):
    _check(task, piece * (200_000 // len(piece)))


@pytest.mark.parametrize("task", TRUTHS)
def test_a_right_answer_behind_a_megabyte_of_thought(task):
    thought = "<think>" + "Perhaps 3, or 12.5-14 seconds? " * 32_000 + "</think>"
    assert _check(task, thought + TRUTHS[task])["acc"] == 1
