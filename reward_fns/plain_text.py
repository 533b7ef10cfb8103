"""Brings every notation of an answer into plain English text. Takes linear time, never raises.

LaTeX, JSON, Markdown, full-width forms     lose their signs: "［3.2\\,\\text{s}］" becomes "3.2 s"
arrows, dashes                              "→", "-"; an arrow that points back is "←", which links nothing
Chinese                                     word by word: "3.2秒到5.1秒" becomes "3.2 s to 5.1 s"
two times in brackets or in a table's row   joined: "[3.2, 5.1]" becomes "3.2 ~ 5.1"
numbers of a list                           go: "1) circles: 2" becomes "circles: 2"
"""

from __future__ import annotations

import re

from reward_fns.vocabulary import CHINESE, CHINESE_DIGITS, LABELS, NUMBER_WORDS, ORDINALS, SECONDS

_HALF_WIDTH = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **{0x2460 + i: f"({i + 1})" for i in range(20)},  # numbers in circles
    **{0x24B6 + i: f"({chr(65 + i)})" for i in range(26)},  # letters in circles
    **dict.fromkeys(map(ord, "‐‑‒–—―−－"), "-"),
    **dict.fromkeys(map(ord, "〜∼∽"), "~"),
    **dict.fromkeys(map(ord, "［【〔「『《〈"), "["),
    **dict.fromkeys(map(ord, "］】〕」』》〉"), "]"),
    **dict.fromkeys(map(ord, "“”„″"), '"'),
    **dict.fromkeys(map(ord, "‘’`´"), "'"),
    **dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2009\u202f\u3000\t"), " "),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufe0f\u20e3\ufeff"), None),
    ord("。"): ".",
    ord("\r"): "\n",
}
_SIGNS = dict.fromkeys(map(ord, '()[]{}<>"*_$#|\\'), " ") | {ord("、"): ",", ord("&"): " and "}

_LATEX = (
    (re.compile(r"\\(?:to|(?:[Ll]ong)?[Rr]ightarrow|mapsto|implies)(?![A-Za-z])"), "→"),
    (re.compile(r"\\(?:[Ll]ong)?[Ll]eftarrow(?![A-Za-z])"), "←"),
    (re.compile(r"\\(?:thick)?sim(?![A-Za-z])"), "~"),
    (re.compile(r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|tt)|operatorname)\s{0,2}\{([^{}]{0,40})\}"), r" \1 "),
    (re.compile(r"\\(?:left|right|q?quad|[lc]?dots|displaystyle)(?![A-Za-z])|\\[,;:! ()\[\]]"), " "),
)
_BACK = re.compile(r"<[-=]{1,3}|[←⇐⟵⟸↤]")
_ARROW = re.compile(r"[-=~]{1,3}>|[→⇒⟶⟹↦⇨➔➙➛➜➝➞➡⮕►▶▸›»]")
_QUOTE = re.compile(r"(?<![A-Za-z])'|'(?![A-Za-z])")  # what is left is an apostrophe

_TIME = rf"[\"']{{0,2}}[0-9][0-9:.]{{0,15}} {{0,6}}(?:{'|'.join(SECONDS)}|秒)?\.?[\"']{{0,2}}"
_PAIR = re.compile(rf"[\[(]\s{{0,12}}({_TIME})\s{{0,12}},\s{{0,12}}({_TIME})\s{{0,12}}[\])]")
_ROW = re.compile(rf"^ {{0,4}}\|? {{0,12}}({_TIME}) {{0,12}}\| {{0,12}}({_TIME}) {{0,12}}\|? {{0,4}}$", re.MULTILINE)

# "1." and "(1)" where a line begins; keys such as '"1": "H"', but only before a letter: "2: 3" may mean anything; and
# "first: 3".
_RANK = re.compile(
    r"^[ *_>+\-]{0,6}\(?(?P<line>[0-9]{1,2})[*_]{0,2}(?:[.)](?![0-9])|、)[*_]{0,2}"
    r"|(?:^|(?<=[\n,;{]))[ \"'*_\-]{0,6}(?:(?:position|place|step|rank) )?(?P<key>[0-9]{1,2})[\"'*_ ]{0,3}:"
    r"(?=[ \"'*_]{0,4}[A-Za-z])"
    rf"|\b(?P<ordinal>{'|'.join(ORDINALS)})[\"'*_ ]{{0,3}}:",
    re.IGNORECASE | re.MULTILINE,
)
_BULLET = re.compile(r"^ ?[-+•·] +", re.MULTILINE)
_ITEM = (
    rf"(?:(?:{'|'.join(sorted(LABELS))}) )?(?:[A-Z]|[0-9][0-9:.]{{0,15}}(?<![.:]))(?: ?(?:clip|{'|'.join(SECONDS)}))?"
)
_ITEM_LINE = re.compile(rf"^ ?({_ITEM})[.,;]?(?: ?\n)+(?= ?(?:{_ITEM})[.,;]? ?$)", re.IGNORECASE | re.MULTILINE)

_CHINESE = re.compile("|".join(sorted(CHINESE, key=len, reverse=True)))
_OTHER_CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_SPACES = re.compile(r"[^\S\n]+")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
_CHINESE_NUMBER = re.compile(rf"([一二]?)十([一二三四五六七八九]?)|[{''.join(CHINESE_DIGITS)}]")
_POINT = re.compile(r"(?<=[0-9])\s{1,3}(?:point|点)\s{1,3}(?=[0-9])", re.IGNORECASE)


def half_width(text: str) -> str:
    """Returns the text with full-width forms, numbers and letters in circles, and every dash, quote and space as plain
    ASCII.
    """
    return text.translate(_HALF_WIDTH)


def plain(text: str) -> str:
    """Returns `text` in the one notation that the tasks read (see the module)."""
    text = half_width(text)
    for pattern, sign in _LATEX:
        text = pattern.sub(sign, text)
    text = _ARROW.sub(" → ", _BACK.sub(" ← ", text))
    text = _ROW.sub(r" \1 ~ \2 ", _PAIR.sub(r" \1 ~ \2 ", text))
    text = _without_ranks(text).translate(_SIGNS)
    text = _CHINESE.sub(lambda word: f" {CHINESE[word[0]]} ", text)
    text = _SPACES.sub(" ", _OTHER_CHINESE.sub(r" \g<0> ", _QUOTE.sub(" ", text)))
    return _BULLET.sub("", text)


def one_line_lists(text: str) -> str:
    """Returns plain text in which a list with one item a line ("3", "4", "1") stands on one line: "3, 4, 1"."""
    return _ITEM_LINE.sub(r"\1, ", text)


def in_digits(text: str) -> str:
    """Returns plain text that is written in number words, "two, one, three", with digits; text that has digits
    stays.
    """
    if re.search(r"[0-9]", text):
        return text
    text = _NUMBER_WORD.sub(lambda word: str(NUMBER_WORDS[word[0].lower()]), text)
    return _POINT.sub(".", _CHINESE_NUMBER.sub(_chinese_value, text))


def _chinese_value(number: re.Match[str]) -> str:
    tens, ones = number.groups()
    if tens is None:
        return f" {CHINESE_DIGITS[number[0]]} "
    return f" {10 * CHINESE_DIGITS.get(tens, 1) + CHINESE_DIGITS.get(ones, 0)} "


def _without_ranks(text: str) -> str:
    """Returns the text without the numbers of lists, where they count up from 1 to 2 or further."""
    chains: list[list[re.Match[str]]] = [[]]
    for rank in _RANK.finditer(text):
        value = ORDINALS[rank["ordinal"].lower()] if rank["ordinal"] else int(rank["line"] or rank["key"])
        if value != len(chains[-1]) + 1:
            chains.append([])
        if value == len(chains[-1]) + 1:
            chains[-1].append(rank)
    kept, last = [], 0
    for rank in (rank for chain in chains if len(chain) > 1 for rank in chain):
        kept += [text[last : rank.start()], " "]
        last = rank.end()
    return "".join([*kept, text[last:]])
