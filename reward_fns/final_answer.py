"""Finds the final answer in a completion, for tasks whose answer is a few numbers. Linear time, never raises.

Which part of the completion counts, in this order:
    1. Reasoning is cut off: only the text after the last `</think>` is read. A `<think>` that is never closed
       leaves no answer.
    2. The last `<answer>...</answer>`, else the last `\\boxed{...}`. Nothing outside of it is read.
    3. The text after the last "answer:" / "answer is": its first line, else all of it.
    4. A last line that holds nothing but the answer.
    5. The whole text.
Each part must give exactly one answer (it may be repeated). Several different ones are ambiguous: no
answer, so that listing guesses never pays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import TypeVar

Answer = TypeVar("Answer", bound=Hashable)
Candidates = Callable[[str], Iterable[Answer]]

_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_ANSWER_WORD = re.compile(r"\banswer\s{0,4}(?:is\b|:|=)", re.IGNORECASE)
_LATEX = re.compile(r"\\(?:text|mathrm|[,; ])")
_FRAME_NUMBER = re.compile(r"\bframes?\s*$", re.IGNORECASE)
# Full-width forms become ASCII, every dash becomes "-", and quotes, brackets and Markdown become space.
_PLAIN = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, "‐‑‒–—―−－"), "-"),
    **dict.fromkeys(map(ord, "()[]{}<>\"'`*_$#|\\（）［］｛｝＜＞“”‘’「」【】\u00a0\u3000"), " "),
    ord("、"): ",",
    ord("\r"): "\n",
}


def final_answer(text: str, candidates: Candidates[Answer], words: Collection[str] = ()) -> Answer | None:
    """The one answer that `text` ends up with, or None when there is none or it is ambiguous.

    Args:
        text: the completion, any string.
        candidates: yields every answer found in a piece of plain text; linear in its length.
        words: lower-case words that may stand beside the answer on a last line that holds only the answer.
    """
    _, closed, rest = text.rpartition("</think>")
    if "<think>" in rest:
        return None
    text = rest if closed else text

    marked = _tagged(text)
    if marked is None:
        marked = _boxed(text)
    if marked is not None:
        return _read(_plain(marked), candidates, words)

    text = _plain(text)
    after = None
    for match in _ANSWER_WORD.finditer(text):
        after = match.end()
    if after is not None:
        rest = text[after:].strip()
        for part in (rest.partition("\n")[0], rest):
            answer = _read(part, candidates, words)
            if answer is not None:
                return answer
    return _read(text, candidates, words)


def number_runs(text: str, number: re.Pattern[str], links: Collection[str]) -> Iterator[list[re.Match[str]]]:
    """Maximal runs of numbers in `text` in which each gap between neighbours is a link.

    Runs that begin with a minus sign ("-3,1,4") or that are frame numbers ("frames 3, 5, 7") are left out.

    Args:
        number: pattern of one number; must match in linear time over the whole text.
        links: allowed gaps in lower case with single spaces and none outside. "" allows spaces, but no line
            break.
    """
    run: list[re.Match[str]] = []
    for match in number.finditer(text):
        if run and not _is_link(text[run[-1].end() : match.start()], links):
            if _is_answer(text, run[0].start()):
                yield run
            run = []
        run.append(match)
    if run and _is_answer(text, run[0].start()):
        yield run


def _is_link(gap: str, links: Collection[str]) -> bool:
    core = " ".join(gap.lower().split())
    return core in links and (core != "" or "\n" not in gap)


def _is_answer(text: str, start: int) -> bool:
    before = text[max(0, start - 12) : start]
    return not before.endswith("-") and not _FRAME_NUMBER.search(before)


def _read(part: str, candidates: Candidates[Answer], words: Collection[str]) -> Answer | None:
    """The only answer of the last line where that holds nothing else, else the only answer of `part`."""
    part = part.strip()
    last = part.rpartition("\n")[2]
    bare = last != part and set(re.findall(r"[^\W\d]+", last.lower())) <= set(words)
    for piece in (last, part) if bare else (part,):
        found = set(candidates(piece))
        if len(found) == 1:
            return found.pop()
    return None


def _tagged(text: str) -> str | None:
    """What stands between the last `<answer>` and its end tag (or the end of the text)."""
    begin, end = None, None
    for tag in _ANSWER_TAG.finditer(text):
        if not tag[1]:
            begin, end = tag.end(), None
        elif end is None:
            end = tag.start()
    return None if begin is None else text[begin:end]


def _boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{...}`; inner braces may nest."""
    _, found, rest = text.rpartition("\\boxed{")
    if not found:
        return None
    depth = 1
    for brace in re.finditer(r"[{}]", rest):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return rest[: brace.start()]
    return rest


def _plain(text: str) -> str:
    return _LATEX.sub(" ", text).translate(_PLAIN)
