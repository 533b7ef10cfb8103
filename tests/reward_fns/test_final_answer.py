import re

import pytest

from reward_fns import anomaly_grounding, arrow_of_time, object_counting, temporal_jigsaw
from reward_fns.final_answer import final_answer

MODULES = {
    anomaly_grounding: "14.5-26.2",
    arrow_of_time: "1,4,6",
    object_counting: "3,1,4",
    temporal_jigsaw: "341562",
}


def words_in_caps(text):
    return re.findall(r"[A-Z]+", text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("RED", "RED"),
        ("it is RED, surely RED", "RED"),
        ("RED or BLUE", None),
        ("", None),
        ("none", None),
        ("RED, no: BLUE\nBLUE\n\n", "BLUE"),
        ("RED, no: BLUE\nso it is BLUE", None),  # the last line holds more than the answer
        ("BLUE?\nAnswer: RED", "RED"),
        ("answer: BLUE, but the final answer is RED", "RED"),
        ("**Answer:** RED\nGREEN was not seen", "RED"),
        ("Answer:\n\nRED", "RED"),
        ("RED (the answer is a colour)", "RED"),
        ("Answer: RED or BLUE", None),
        ("<answer>RED</answer> BLUE", "RED"),
        ("<ANSWER>RED</ANSWER> BLUE", "RED"),
        ("<answer>BLUE</answer> no, <answer>RED</answer>", "RED"),
        ("BLUE <answer>RED", "RED"),
        ("BLUE </answer>", "BLUE"),
        ("RED <answer></answer>", None),
        ("RED <answer>GREEN or BLUE</answer>", None),
        ("BLUE, so \\boxed{RED}", "RED"),
        ("\\boxed{BLUE} no, \\boxed{\\text{RED}} GREEN", "RED"),
        ("\\boxed{RED", "RED"),
        ("\\boxed{BLUE} <answer>RED</answer>", "RED"),
        ("<think>BLUE</think>RED", "RED"),
        ("BLUE</think>\n\nRED", "RED"),  # the opening tag is often part of the prompt
        ("<think>BLUE</think><think>GREEN</think>RED", "RED"),
        ("<think>RED", None),
        ("<think>BLUE</think>RED<think>", None),
        ("<think>RED</think>", None),
    ],
)
def test_final_answer(text, answer):
    assert final_answer(text, words_in_caps, str.isupper) == answer


def test_words_beside_the_answer_on_the_last_line():
    assert final_answer("RED or BLUE\nabout RED", words_in_caps) is None
    assert final_answer("RED or BLUE\nabout RED", words_in_caps, {"about", "RED"}.__contains__) == "RED"


# Quadratic work on any of these takes minutes to hours.
@pytest.mark.parametrize(
    "piece",
    ["1", "1,", "1:", "-", " ", "answer: ", "<answer>", "\\boxed{", "<think>", "3 circle ", "1 seconds to "],
)
def test_long_texts_take_linear_time(piece):
    text = piece * (300_000 // len(piece)) + "x"
    for module, truth in MODULES.items():
        assert module.score(text, truth) == (0, 0, 0)


@pytest.mark.parametrize("module", MODULES)
def test_a_megabyte_of_digits(module):
    assert module.score("1" * 1_000_000, MODULES[module]) == (0, 0, 0)


@pytest.mark.parametrize("module", MODULES)
def test_the_answer_at_the_end_of_a_megabyte_is_found(module):
    truth = MODULES[module]
    assert module.score("on and on " * 100_000 + f"\n{truth}", truth) == (1, 1, 1)
