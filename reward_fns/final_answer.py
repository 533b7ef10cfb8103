"""Finds the final answer in a completion, for tasks whose answer is a few words. Takes linear time, never raises.

Which part of the completion counts, in this order:
    1. Reasoning is cut off: only the text after the last `</think>` is read. A `<think>` that is never closed
       leaves no answer. So with `<thinking>`, `<thought>` and `<reasoning>`.
    2. The last `<answer>...</answer>`, else the last `\\boxed{...}`, else the value of JSON's key "answer". Nothing
       outside of it is read.
    3. The text after the last "answer:" / "answer is": its first line, else all of it.
    4. A last line that holds nothing but the answer.
    5. The whole text.
Each part must give exactly one answer (it may be repeated). Several different ones are ambiguous: no
answer, so that listing guesses never pays. Number words count only in a part without digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from reward_fns.plain_text import in_digits, one_line_lists, plain
from reward_fns.vocabulary import ANSWER_WORDS

Answer = TypeVar("Answer", bound=Hashable)
Candidates = Callable[[str], Iterable[Answer | None]]

_THINKING = r"(?:think|thinking|thought|reasoning)"
_THOUGHT_END = re.compile(rf".*</{_THINKING}>", re.IGNORECASE | re.DOTALL)
_THOUGHT_BEGIN = re.compile(rf"<{_THINKING}>", re.IGNORECASE)
_SPECIAL_TOKEN = re.compile(r"<\|[A-Za-z_]{1,30}\|>")
_BOX_TOKENS = {"<|begin_of_box|>": "<answer>", "<|end_of_box|>": "</answer>"}
_ANSWER_TAG = re.compile(r"<(/?)(?:final_)?answer>", re.IGNORECASE)
_ANSWER_KEY = re.compile(
    r'"(?:final[_ ]?)?answer"\s{0,4}:\s{0,4}("[^"\n]{0,500}"|\[[^\[\]]{0,500}\]|\{[^{}]{0,500}\})', re.IGNORECASE
)
# "The answer is A or the answer is B" has its answers behind the first.
_ANSWER_WORD = re.compile(
    r"(?<!\bor )(?<!\bor the )(?<!\bor my )\banswer\b(?:\s{0,4}(?:is\b\s{0,2}:?|:|=)|[ ]{0,4}(?=\n))", re.IGNORECASE
)


def final_answer(
    text: str, candidates: Candidates[Answer], beside: Callable[[str], bool] = lambda word: word.lower() in ANSWER_WORDS
) -> Answer | None:
    """Returns the one answer that `text` ends up with, or None when there is none or it is ambiguous.

    Args:
        text: the completion, any string.
        candidates: yields every answer found in a piece of plain text (`plain_text.plain`), None for one that is in
            doubt; linear in its length.
        beside: whether a word may stand beside the answer on a last line that holds only the answer.
    """
    text = _SPECIAL_TOKEN.sub(lambda token: _BOX_TOKENS.get(token[0], " "), text)
    if thought := _THOUGHT_END.match(text):
        text = text[thought.end() :]
    if _THOUGHT_BEGIN.search(text):
        return None
    for find in (_tagged, _boxed, _keyed):
        marked = find(text)
        if marked is not None:
            return _read(plain(marked), candidates, beside)
    text = plain(text)
    for part in (*_after_answer_word(text), text):
        answer = _read(part, candidates, beside)
        if answer is not None:
            return answer
    return None


def _read(part: str, candidates: Candidates[Answer], beside: Callable[[str], bool]) -> Answer | None:
    """Returns the only answer of the last line if that line holds nothing else, else the only answer of `part`."""
    part = one_line_lists(part.strip())
    last = part.rpartition("\n")[2]
    bare = last != part and all(map(beside, re.findall(r"[^\W\d_]+", last)))
    for piece in (last, part) if bare else (part,):
        found = set(candidates(in_digits(piece)))
        if len(found) == 1:
            return found.pop()
    return None


def _after_answer_word(text: str) -> Iterator[str]:
    after = None
    for match in _ANSWER_WORD.finditer(text):
        after = match.end()
    if after is not None:
        rest = text[after:].strip()
        yield from (rest.partition("\n")[0], rest)


def _tagged(text: str) -> str | None:
    """Returns the text between the last `<answer>` and its end tag (or the end of the text)."""
    begin, end = None, None
    for tag in _ANSWER_TAG.finditer(text):
        if not tag[1]:
            begin, end = tag.end(), None
        elif end is None:
            end = tag.start()
    return None if begin is None else text[begin:end]


def _boxed(text: str) -> str | None:
    """Returns the text in the last `\\boxed{...}`; inner braces may nest."""
    _, found, rest = text.rpartition("\\boxed{")
    if not found:
        return None
    depth = 1
    for brace in re.finditer(r"[{}]", rest):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return rest[: brace.start()]
    return rest


def _keyed(text: str) -> str | None:
    """Returns the last value of JSON's key "answer", where that is text, a flat list or a flat object."""
    values = _ANSWER_KEY.findall(text)
    return values[-1] if values else None
