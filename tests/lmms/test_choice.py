"""Which letter an answer names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.lmms.choice import letter, yes_or_no


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(C)", "C"),
        ("B. a dog runs", "B"),
        ("B) a dog", "B"),
        (" D: because", "D"),
        ("**A**", "A"),
        ("The answer is B", "B"),
        ("Answer: (c)", "C"),
        ("I think the correct option is D.", "D"),
        ("so it must be B.", "B"),
        ("A. A man opens a door", "A"),
        ("A man opens a door", None),
        ("I think so", None),
        ("The answer is A or the answer is B", None),
        ("It could be A, B.", None),
        ("", None),
        ("42", None),
        ("Because", None),
    ],
)
def test_letters(text, expected):
    assert letter(text) == expected


@given(st.sampled_from("ABCDEFGH"), st.sampled_from(["{}", "{}.", "({})", "{})", "Answer: {}", "The answer is {}."]))
def test_every_option_in_every_usual_form(option, form):
    assert letter(form.format(option)) == option


@given(st.text(max_size=300))
def test_any_text_gives_a_letter_or_nothing(text):
    assert letter(text) is None or letter(text) in "ABCDEFGH"


@pytest.mark.parametrize(
    ("text", "expected"), [("Yes", "yes"), ("NO.", "no"), ("Well, yes, not no", "yes"), ("know", None), ("", None)]
)
def test_yes_or_no(text, expected):
    assert yes_or_no(text) == expected
