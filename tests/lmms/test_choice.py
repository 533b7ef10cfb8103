"""Which option an answer names: what people say and models print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.evaluate.lmms.choice import letter, yes_or_no

SAID = {
    "A": [
        "**A**",
        "A",
        "a",
        "A. A man opens a door",
        "A) a man opens a door",
        "(A) a man",
        "Option A",
        "Option A is correct.",
        "A: The man",
        "A\n\nThe man opens a door.",
        "The answer is a.",
        "The answer is A.",
        "The answer is option A.",
        "Answer: A. A man",
    ],
    "B": [
        "B",
        "b",
        "(b)",
        "B.",
        "b.",
        "B)",
        "[B]",
        "`B`",
        '"B"',
        "<B>",
        "（B）",
        "Ｂ",
        "（Ｂ）",
        "【B】",
        "B\n",
        "B。",
        "B<|im_end|>",
        "$B$",
        "Ⓑ",
        "> B",
        "B. a dog runs",
        "B) a dog",
        "(B) a dog",
        "(b) a dog",
        "b) a dog",
        "b. a dog",
        "B: a dog",
        "B a dog",
        "B. A man opens a door",
        "B. The man is not A.",
        "Option B",
        "option b",
        "Option B: a dog",
        "B. a dog\n\nBecause A and C do not happen.",
        "The answer is B",
        "answer: b",
        "The answer is: B.",
        "The correct answer is B.",
        "The correct answer is (B) a dog.",
        "**Answer: B**",
        "**Answer:** B",
        "Final answer: **B**",
        "Answer\nB",
        "so it must be B.",
        "So the answer should be B",
        "I choose B.",
        "I would pick (B).",
        "My answer would be B",
        "Correct option: B",
        "<answer>B</answer>",
        "<answer>(b)</answer>",
        "<answer>B. a dog</answer>",
        "<think>A or C?</think>B",
        "<think>A or C?</think><answer>B</answer>",
        "<thinking>A?</thinking>\n\nB",
        "\\boxed{B}",
        "The answer is $\\boxed{\\text{B}}$.",
        "$\\boxed{B}$",
        "\\boxed{\\text{(B)}}",
        "<|begin_of_box|>B<|end_of_box|>",
        '{"answer": "B"}',
        '```json\n{"answer": "B"}\n```',
        '{"answer": "b"}',
        '{"choice": "B"}',
        '{"answer": "B. a dog"}',
        '{"answer": "B", "reason": "A is wrong, C too"}',
        "选B",
        "答案是B",
        "答案：B",
        "答案：（B）",
        "正确答案是B。",
        "选项B",
        "我选择B",
        "选择 B。",
        "答案是Ｂ",
        "C: The man. \nAnswer: B",
        "It is B because A is false.",
        "The answer is B, not C.",
        "B, not A",
        "It's B rather than A.",
        "It can't be A, so B.",
        "A isn't right. B",
        "The video shows a man. So B.",
        "The answer is a red car, i.e. (B).",
        "A man opens a door, so B.",
        "Option A shows a dog, option B shows a cat. I choose option B.",
        "Option B is correct because option A shows a dog.",
        "Let me see. A shows a dog, B shows a cat.\nB",
        "A, B or C?\nThe answer is B.",
        "I think B",
        "I believe it is B.",
        "A dog runs. (B)",
        "As a man walks, B fits.",
        "First I thought A. Final answer: B",
        "不是A，是B",
        "A错误，选B",
        "I'd eliminate A and D. B it is.",
        "The correct option is b.",
        "a T-shirt: B",
        "B.\n\nThe answer is B.",
        "**B. a dog**",
        "The answer is **B. A dog runs**.",
        "Answer: B. Both A and C",
        "B. Both A and C",
    ],
    "C": [
        "(C)",
        "C. It is the I-beam.",
        "Answer: (c)",
        "The correct choice is C",
        "not B but C",
        "The answer is not B but C.",
        "I would rule out A. So C.",
        "A is wrong. B is wrong. C is right.",
        "Neither A nor B, so C.",
        "A and B are wrong, so it is C.",
        "Option A can be ruled out. The answer is C.",
        "At 5 p.m., so C",
    ],
    "D": [
        " D: because",
        "D, because",
        "I think the correct option is D.",
        "Best option: (D)",
        "The best answer is D",
        "A, B and C are wrong; D",
        "I would not choose A. I choose D.",
        "The correct answer is option (D).",
    ],
    "I": [
        "I",
    ],
    "J": [
        "J",
    ],
}
NOTHING_SAID = [
    "A man opens a door",
    "I think so",
    "The answer is A or the answer is B",
    "It could be A, B.",
    "",
    "42",
    "Because",
    "The answer is a dog.",
    "A or B",
    "A/B",
    "Both A and C",
    "A B C D",
    "A, B",
    "A and B",
    "(A) and (C)",
    "A or the option B",
    "(A) or (B)",
    "A. and so on, B. and so on",
    "The U.S. flag",
    "The answer is B or C",
    "Answer: B and C",
    "B is wrong",
    "not B",
    "It is not A.",
    "a dog",
    "A dog",
    "I see a man. I do not know.",
    "A. a dog\nB. a cat\nC. a bird",
    "<answer>A or B</answer>",
    "\\boxed{A, B}",
    "Answer: A or B",
    "<think>B",
    "<think>B</think>",
    "None of the above",
    "Neither A nor B",
    "A: no. B: yes",
    '{"answer": "A, B"}',
    "A或B",
    "A和C",
    "e.g. a dog",
    "i.e. a man",
    "It's a dog",
    "the man's car",
    "ABCD",
    "A B",
    "Either A or B",
    "The answer is A man",
    "A Toyota drives",
    "B or C, I am not sure",
    "Maybe A. Maybe B.",
]


@pytest.mark.parametrize("option", SAID)
def test_what_is_said(option):
    assert {text: letter(text) for text in SAID[option] if letter(text) != option} == {}


def test_where_no_single_option_is_chosen():
    assert {text: letter(text) for text in NOTHING_SAID if letter(text) is not None} == {}


FORMS = [
    *(
        "{}",
        "{}.",
        "{}:",
        "({})",
        "{})",
        "[{}]",
        "**{}**",
        "**{}.**",
        "`{}`",
        "<{}>",
        "${}$",
        "{}\n",
        "（{}）",
        "【{}】",
    ),
    *(
        "Option {}",
        "option ({})",
        "Answer: {}",
        "answer is {}",
        "The answer is {}.",
        "**Answer:** {}",
        "Final answer: ({})",
    ),
    *(
        "<answer>{}</answer>",
        "<think>C or D</think>{}",
        "\\boxed{{{}}}",
        "$\\boxed{{\\text{{{}}}}}$",
        '{{"answer": "{}"}}',
    ),
    *(
        "选{}",
        "答案：{}",
        "答案是（{}）。",
        "{}. a dog runs",
        "({}) the man",
        "{}) because",
        "{}: a dog",
        "{}\n\nThe dog runs.",
    ),
    *(
        "I choose {}.",
        "The correct option is {}.",
        "Option {} is correct.",
        "not {}",
        "{} is wrong",
        "{} or Z",
        "Z, {}",
    ),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_option_in_every_form(form):
    refused = form in ("not {}", "{} is wrong", "{} or Z", "Z, {}")
    options = "ABCDEFGHJ"
    assert [letter(form.format(option)) for option in options] == [None if refused else option for option in options]
    if not refused and not form.startswith(("I choose", "选", "Option {} is")):  # small letters are words in a sentence
        assert [letter(form.format(option.lower())) for option in options] == list(options)


@given(st.text(max_size=300))
def test_any_text_gives_a_letter_or_nothing(text):
    assert letter(text) is None or letter(text) in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert yes_or_no(text) in ("yes", "no", None)


@pytest.mark.parametrize(
    "piece", ["A", "A ", "A, ", "not A ", "(A)", "A is wrong. ", "no ", "A isn't", "answer is A or "]
)
def test_long_texts_take_linear_time(piece):
    text = piece * (100_000 // len(piece))
    assert letter(text) in ("A", None)
    assert yes_or_no(text) in ("no", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", "yes"),
        ("NO.", "no"),
        ("Well, yes, not no", "yes"),
        ("know", None),
        ("", None),
        ("The answer is not no, it is yes", "yes"),
        ("Yes, there is no dog.", "yes"),
        ("No, it is not.", "no"),
        ("yes or no", None),
        ("Yes/No", None),
        ("<answer>No</answer>", "no"),
        ("\\boxed{\\text{Yes}}", "yes"),
        ("<think>No.</think>Yes", "yes"),
        ("Answer: **No**", "no"),
        ("The answer is yes.", "yes"),
        ('{"answer": "no"}', "no"),
        ("There is no dog.", "no"),
        ("There is no dog, so yes.", "yes"),
        ("I would say yes", "yes"),
        ("It is not yes", None),
        ("Both yes and no", None),
        ("YES", "yes"),
        ("No", "no"),
        ("no, the man does not say yes", "no"),
        ("Ｙｅｓ", "yes"),
    ],
)
def test_yes_or_no(text, expected):
    assert yes_or_no(text) == expected
