"""Reads the choice of a multiple-choice answer. It does so alike for every benchmark, so that they can be compared.

`reward_fns.final_answer` says which part of a completion counts (reasoning, tags, boxes, "answer:", last line). In that
part, the first of these that is found counts:
    1. It begins with an option in the form of an option ("B", "B. a dog", "(b) a dog"), and no other one has that form.
    2. Options that are said to be chosen: "B is correct", "I choose option B".
    3. Options that stand there as a capital and are not rejected (`reward_fns.rejection`).
There must be exactly one. The "A" of "A man" is an article, and the "I" of "I think" a pronoun; neither is an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reward_fns.final_answer import final_answer
from reward_fns.plain_text import half_width
from reward_fns.rejection import is_rejected

_IN_BRACKETS = re.compile(r"[\[(]?(?<!\w)([A-Za-z])[\])](?!\w)")
_NAME = r"(?i:(?:option|choice|answer|letter) )"
# "A" is an option before what speaks of one ("A is", "A or B", "A shows"), and an article before other words.
_NO_ARTICLE = (
    r"(?! (?!(?:is|was|as|because|since|and|or|but|if|would|does|do|can|cannot|could|must|it|he|she|they|not|then|for"
    r"|[a-z]+n't|[a-z]+(?<![su])s)\b)[A-Za-z]{2})"
)
_LETTER = rf"(?<![\w'])(?<!\w\.)(?:A{_NO_ARTICLE}|[B-HJ-Z]|I(?= ?[.:\n]| ?$))(?![\w']|[-.]\w)"
_LETTERS = rf"{_LETTER}(?:\.?,? ?(?:,|/|\band|\bor) ?(?:both )?(?:the answer is )?{_NAME}?{_LETTER}){{0,9}}"
_ANY_LETTER, _ANY_LETTERS = (re.compile(pattern, re.MULTILINE) for pattern in (_LETTER, _LETTERS))
_OPTION_LINE = re.compile(rf"^ ?{_NAME}?([A-Za-z])(?:[.:]+ (?!and\b|or\b)|[.:]* ?$)", re.MULTILINE)
_NEXT_OPTION = re.compile(r"(?<=[.;,] )([A-Z])[.:] (?=\S)")
_CHOSEN = (
    re.compile(
        r"(?<!not )(?<!n't )\b(?i:choose|pick|select|go with|(?<!or the )(?:answer|option|choice)"
        rf"(?: is| would be| should be| must be| ?:))(?: ?:)?(?: the)? {_NAME}?({_LETTERS}|[a-z](?=[.,;]? ?$))",
        re.MULTILINE,
    ),
    re.compile(
        rf"({_LETTERS})\.?(?: is| must be)(?: the)?(?: most| only)? (?:correct|right|true|best|answer)\b", re.MULTILINE
    ),
)
_BESIDE = {"the", "answer", "final", "option", "choice", "correct", "is", "so", "therefore", "thus", "json", "letter"}
_VERDICT = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_FIRST_VERDICT = re.compile(r"\W{0,4}(yes|no)\b", re.IGNORECASE)
_BOTH_VERDICTS = re.compile(r"\b(?:yes|no) ?(?:/|,? ?\bor\b|\band\b) ?(?:yes|no)\b", re.IGNORECASE)


def letter(text: str) -> str | None:
    """Returns the chosen option, upper case, or None where no single one is chosen."""
    text = _IN_BRACKETS.sub(r" \1. ", half_width(text))  # brackets are lost in plain text, and "(a) man" is no article
    return final_answer(text, _choices, lambda word: len(word) == 1 or word.lower() in _BESIDE)


def yes_or_no(text: str) -> str | None:
    """Returns "yes" or "no", or None where neither or both are said."""
    return final_answer(text, _verdicts, lambda word: word.lower() in _BESIDE | {"yes", "no"})


def _choices(text: str) -> Iterator[str]:
    yield from _written_as_options(text) or _said_to_be_chosen(text) or _not_rejected(text)


def _written_as_options(text: str) -> set[str]:
    if not _OPTION_LINE.match(text):
        return set()
    return _capitals([*_OPTION_LINE.findall(text), *_NEXT_OPTION.findall(text)])


def _said_to_be_chosen(text: str) -> set[str]:
    groups = [group for pattern in _CHOSEN for group in pattern.findall(text)]
    return _capitals(letter for group in groups for letter in _ANY_LETTER.findall(group) or [group])


def _not_rejected(text: str) -> set[str]:
    groups = (group for group in _ANY_LETTERS.finditer(text) if not is_rejected(text, *group.span()))
    return _capitals(letter for group in groups for letter in _ANY_LETTER.findall(group[0]))


def _capitals(letters: Iterable[str]) -> set[str]:
    return {letter.upper() for letter in letters}


def _verdicts(text: str) -> Iterator[str]:
    if _BOTH_VERDICTS.search(text):
        return
    first = _FIRST_VERDICT.match(text)
    if first:
        yield first[1].lower()
        return
    said = [verdict for verdict in _VERDICT.finditer(text) if not is_rejected(text, *verdict.span())]
    # "There is no dog, so yes": a word that ends a clause is an answer, while "no" before a word may only belong to it.
    ending = [verdict for verdict in said if not re.match(r" ?\w", text[verdict.end() :][:2])]
    yield from (verdict[1].lower() for verdict in ending or said)
