"""The words and signs that may stand in and beside an answer: one list for all tasks, in English and Chinese.

Chinese is translated word by word before anything is read, so every pattern elsewhere is English.
"""

from __future__ import annotations

from itertools import product

# Between the items of a list: "3, 4 and 1", "H, then A", "2; 1; 3". "" is a mere space.
LIST_LINKS = frozenset(
    " ".join(filter(None, words))
    for words in product(("", ",", ";"), ("", "and"), ("", "then", "next", "finally", "lastly", "followed by"))
)
# Between the items of a sequence: "3 -> 4 -> 1", "3-4-1", "3/4/1".
ORDER_LINKS = LIST_LINKS | {"→", "-", "/", "~"}
# Between the two ends of an interval: "3.2 to 5.1", "between 3.2 and 5.1".
RANGE_LINKS = frozenset({"-", "~", "→", "to", "and", "until", "till", "through", "up to", "...", "…"})
# Between two guesses or the two ends of a count, where no link says otherwise: "3,1,4 or 5", "2 to 3".
DOUBT_LINKS = frozenset(
    f"{comma} {word}".strip()
    for comma, word in product(
        ("", ","),
        ("or", "or maybe", "or perhaps", "maybe", "perhaps", "possibly", "to", "~", "-", "+", "+ -", "±", "vs"),
    )
)

# What an item is called; singular, because a plural begins a sentence about several ("6 clips, 48 frames").
CLIP_LABELS = frozenset({"clip", "video", "segment", "piece", "part"})
EVENT_LABELS = frozenset({"event", "object"})
LABELS = CLIP_LABELS | EVENT_LABELS | {"frame", "image", "picture", "candidate", "option"}
NO_AMOUNT = rf"(?! (?:{'|'.join(sorted(LABELS))})s\b)"  # must not follow a number, as in "(6 clips)"
SHAPES = {"circle": 0, "square": 1, "rectangle": 1, "triangle": 2}  # place in the answer; a square may be a rectangle
START_WORDS = frozenset({"start", "starts", "starting", "begin", "begins", "beginning", "from"})
END_WORDS = frozenset(
    {"end", "ends", "ending", "stop", "stops", "stopping", "finish", "finishes", "finishing", "to", "until"}
)
SECONDS = ("seconds", "second", "secs", "sec", "s")

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
NUMBER_WORDS = {word: value for value, word in enumerate(_NUMBERS.split())}
CHINESE_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2}
ORDINALS = {
    word: value
    for words in ("first second third fourth fifth sixth seventh eighth ninth", "1st 2nd 3rd 4th 5th 6th 7th 8th 9th")
    for value, word in enumerate(words.split(), 1)
}

# May stand beside the answer on a line that holds nothing else.
ANSWER_WORDS = (
    {word for link in ORDER_LINKS | RANGE_LINKS for word in link.split()}
    | LABELS
    | {f"{word}s" for word in LABELS | set(SHAPES)}
    | set(SHAPES)
    | START_WORDS
    | END_WORDS
    | set(SECONDS)
    | set(NUMBER_WORDS)
    | {"answer", "between", "final", "interval", "json", "order", "time", "timestamp", "timestamps", "window", "first"}
)

_CHINESE = {
    "answer": "答案",
    "final": "最终",
    "option": "选项",
    "choose": "选择 选",
    "is": "是 为 有 共 一共 总共",
    "not": "不是 并非 不",
    "wrong": "错误 错 不对 不正确",
    "start": "开始时间 起始时间 开始 起始",
    "end": "结束时间 终止时间 结束 终止",
    "time": "时间",
    "from": "从",
    "to": "到 至",
    "s": "秒钟 秒",
    "ms": "毫秒",
    "min": "分钟 分",
    "h": "小时",
    "frame": "帧",
    "image": "图片 图像 图",
    "candidate": "候选",
    "clip": "视频片段 片段 视频 段",
    "and": "以及 和 与 及",
    "or": "或者 或是 还是 或",
    "then": "然后 接着 随后 再",
    "finally": "最后",
    "count": "数量 个数",
    "circle": "圆形 圆圈 圆",
    "square": "正方形 长方形 方形 矩形 方块",
    "triangle": "三角形",
    "%": "百分之",
    "": "第 个 号 的 之间 首先 张",
}
CHINESE = {word: english for english, words in _CHINESE.items() for word in words.split()}
