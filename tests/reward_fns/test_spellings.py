"""What a person would accept, in every task: the same notations for all of them; and what one must not reward."""

from itertools import product

import pytest

from reward_fns import compute_score

# task: (truth, its items, what an item is called)
SEQUENCES = {
    "arrow_of_time": ("1,4,6", "146", ("Clip", "Video", "Segment", "clip", "Piece")),
    "masked_video_prediction": ("HAFD", "HAFD", ("Frame", "Candidate", "Image", "Option", "Picture")),
    "motion_primitives/order": ("341562", "341562", ("Event", "Object", "event")),
    "object_counting": ("2,1,3", "213", ()),
    "spatial_jigsaw": ("341562", "341562", ("Piece", "piece", "Part", "Segment")),
    "temporal_jigsaw": ("341562", "341562", ("Clip", "Video", "Segment", "clip", "Piece")),
}
INTERVAL = "3.2-5.1"
INTERVALS = ("anomaly_grounding", "snippet_localisation")
TRUTHS = {task: truth for task, (truth, _, _) in SEQUENCES.items()} | dict.fromkeys(INTERVALS, INTERVAL)

ARROWS = [
    "→",
    "->",
    "-->",
    "=>",
    "==>",
    "➔",
    "⇒",
    "⟶",
    "—>",
    "\\to",
    "\\rightarrow",
    "\\Rightarrow",
    "\\longrightarrow",
]
DASHES = ["-", "–", "—", "－", "‑", "−"]
LINKS = [
    *(",", ", ", " , ", "，", "、", "；", ";", "; ", " ", "  ", " / ", "/", " | ", " and ", " & ", ", and ", " then "),
    *(
        ", then ",
        ", and then ",
        " and then ",
        ", next ",
        ", followed by ",
        "和",
        "，然后",
        ",\n",
        "\n",
        "\n\n",
        "\n- ",
        "\n* ",
    ),
    *(f" {arrow} " for arrow in ARROWS),
    *(arrow for arrow in ARROWS if "\\" not in arrow),
    *DASHES,
    *(f" {dash} " for dash in DASHES),
]
AROUND = [
    "{}",
    "[{}]",
    "({})",
    "【{}】",
    "（{}）",
    "**{}**",
    "`{}`",
    '"{}"',
    "“{}”",
    "<{}>",
    "${}$",
    "$$\n{}\n$$",
    "\\({}\\)",
]
EACH = ["{}", "({})", "[{}]", "**{}**", "`{}`", '"{}"', "'{}'", "<{}>", "\\text{{{}}}"]
MARKED = [
    "{}",
    "{}.",
    "{}\n",
    "\n\n{}",
    "Answer: {}",
    "answer = {}",
    "**Answer:** {}",
    "**Answer**: {}",
    "**Answer**\n{}",
    "### Final Answer\n\n{}",
    "Final answer: {}.",
    "The answer is {}.",
    "The final answer is: {}",
    "Maybe 1-2, 2-3 or 7,8,9 or A, B.\nSo:\n{}",
    "<answer>{}</answer>",
    "<answer>\n{}\n</answer>",
    "<answer>{}",
    "<think>Maybe 9, 8 or 1-2, B?</think>{}",
    "<thinking>Maybe 9, 8 or 1-2, B?</thinking>\n\n<answer>{}</answer>",
    "<thought>Not 9, 8 or 1-2, B.</thought>{}",
    "Not 1,2,3 nor A, B: \\boxed{{{}}}",
    "$\\boxed{{{}}}$",
    "{}<|im_end|>",
    "<|begin_of_box|>{}<|end_of_box|>",
    "答案：{}",
    "答案是{}。",
    "最终答案：**{}**",
    "```\n{}\n```",
    "> {}",
]


def result(task, text):
    return compute_score(f"videossr/{task}", text, TRUTHS[task], {})


def unread(task, texts):
    """The texts that do not earn everything."""
    return [text for text in texts if (result(task, text)["score"], result(task, text)["acc"]) != (1, 1)]


@pytest.mark.parametrize("task", SEQUENCES)
def test_every_link_in_every_frame(task):
    items = SEQUENCES[task][1]
    joined = [
        around.format(link.join(items)) for link, around in product(LINKS, AROUND) if "\n" not in link or around == "{}"
    ]
    assert unread(task, joined) == []


@pytest.mark.parametrize("task", SEQUENCES)
def test_every_link_behind_every_mark(task):
    items = SEQUENCES[task][1]
    lines = [mark for mark in MARKED if not mark.startswith((">", "Maybe"))]  # a list of lines has no one last line
    texts = [mark.format(link.join(items)) for link in LINKS for mark in (lines if "\n" in link else MARKED)]
    assert unread(task, texts) == []


@pytest.mark.parametrize("task", SEQUENCES)
def test_items_one_by_one(task):
    items, names = SEQUENCES[task][1:]
    texts = [link.join(map(each.format, items)) for link, each in product((", ", " → ", "\n"), EACH)]
    texts += [link.join(f"{name} {item}" for item in items) for link, name in product(LINKS, names)]
    texts += [
        f"{', '.join(items[:-1])}{last}{items[-1]}" for last in (" and ", ", and ", ", and finally ", ", lastly ")
    ]
    for rank in ("{}. ", "{}) ", "({}) ", "**{}.** ", "{}、"):
        for name in ("", *(f"{name} " for name in names)):
            texts.append("\n".join(f"{rank.format(i)}{name}{item}" for i, item in enumerate(items, 1)))
    assert unread(task, texts) == []


@pytest.mark.parametrize("task", SEQUENCES)
def test_json(task):
    items = SEQUENCES[task][1]
    quoted = [f'"{item}"' for item in items]
    lists = [f"[{', '.join(quoted)}]", f"[{','.join(quoted)}]", "[\n  " + ",\n  ".join(quoted) + "\n]"]
    texts = [form % made for made in lists for form in ("%s", "```json\n%s\n```", '{"answer": %s}', '{"order": %s}')]
    texts += [
        f'```json\n{{"answer": "{", ".join(items)}", "why": "not 9, 8, 7"}}\n```',
        f'{{"Final Answer": "{",".join(items)}"}}',
    ]
    assert unread(task, texts) == []


TWO_TIMES = [
    *(f"3.2{gap}5.1" for gap in (*DASHES, *ARROWS[:9], "~", "～", "〜", " to ", " until ", " through ", "到", "至")),
    *(f"3.2{unit} {gap} 5.1{unit}" for unit in ("", "s", " s", " sec", " seconds", "秒", " \\text{s}")
      for gap in (*DASHES, *ARROWS, "~", "～", "\\sim", "to", "till", "until", "through", "到")),
    *(f"[3.2{unit}{comma}5.1{unit}]" for unit in ("", "s", " s", " seconds", "秒") for comma in (", ", ",", "，")),
    *("(3.2, 5.1)", "[[3.2, 5.1]]", '[["3.2", "5.1"]]', "[3.2, 5.1)", "【3.2，5.1】", "3.2, 5.1", "3.2s, 5.1s"),
    *("00:03.2 - 00:05.1", "0:03.2–0:05.1", "00:00:03.2 --> 00:00:05.1", "[00:03.2, 00:05.1]", "00:03.2 to 00:05.1"),
    *("0 min 3.2 s - 0 min 5.1 s", "0m3.2s to 0m5.1s", "0分3.2秒到0分5.1秒", "3.2 seconds (00:03.2) to 5.1 seconds"),
    *("from 3.2 to 5.1", "From 3.2s to 5.1s", "between 3.2 and 5.1", "between 3.2 s and 5.1 s", "从3.2秒到5.1秒"),
    *("starts at 3.2 and ends at 5.1", "starts at 3.2 seconds and ends at 5.1 seconds", "start 3.2, end 5.1"),
    *("Start: 3.2, End: 5.1", "**Start:** 3.2 s, **End:** 5.1 s", "start = 3.2; end = 5.1"),
    *("begins at about 3.2 s and finishes at about 5.1 s", "The start time is 3.2 s and the end time is 5.1 s"),
    *("End: 5.1, start: 3.2", "开始时间：3.2秒，结束时间：5.1秒", "t = 3.2 s to t = 5.1 s", "3.2 s (start) - 5.1 s"),
]  # fmt: skip


@pytest.mark.parametrize("task", INTERVALS)
def test_intervals_behind_every_mark(task):
    extra = [mark for mark in MARKED if not mark.startswith("Maybe")]  # its last line may hold more than the answer
    texts = [mark.format(times) for times, mark in product(TWO_TIMES, extra)]
    assert [text for text in unread(task, texts) if "(start)" not in text] == []


WRITTEN = {
    "anomaly_grounding": [
        "The interval is [3.2, 5.1].",
        "The event happens in the 3.2 - 5.1 seconds.",
        "The change is visible from 3.2s to 5.1s.",
        "The given change happens between 3.2 and 5.1 seconds.",
        '{"start": 3.2, "end": 5.1}',
        '{"start":3.2,"end":5.1}',
        '{"start_time": "3.2s", "end_time": "5.1s"}',
        '{"begin": 3.2, "finish": 5.1}',
        '{"from": 3.2, "to": 5.1}',
        '{"end": 5.1, "start": 3.2}',
        '{"start": "00:03.2", "end": "00:05.1"}',
        '{"relevant_windows": [[3.2, 5.1]]}',
        '{"timestamp": [3.2, 5.1]}',
        '{"time": ["00:03.2", "00:05.1"], "label": "mirrored"}',
        '[{"start": 3.2, "end": 5.1, "confidence": 0.9}]',
        '```json\n{\n  "start": 3.2,\n  "end": 5.1\n}\n```',
        '```json\n[\n  {"timestamp": "3.2-5.1", "label": "mirror"}\n]\n```',
        "- Start: 3.2\n- End: 5.1",
        "* **Start time**: 3.2 seconds\n* **End time**: 5.1 seconds",
        "1. Start: 3.2\n2. End: 5.1",
        "Start\n3.2\nEnd\n5.1",
        "3.2\n5.1",
        "three point two to five point one seconds",
        "三点二秒到五点一秒",
        "| Start | End |\n|---|---|\n| 3.2 | 5.1 |",
        "| start (s) | end (s) |\n| :-: | :-: |\n| 3.2 s | 5.1 s |",
        "| Start | 3.2 |\n| End | 5.1 |",
        "The change goes from the 3.2 second mark to the 5.1 second mark.",
        "变化发生在3.2秒到5.1秒之间。",
        "从第3.2秒开始，到第5.1秒结束。",
        "It is not clear at first, but the change lasts from 3.2 to 5.1 seconds.",
        "3.2-5.1 (00:03.2-00:05.1)",
        "**3.2s** → **5.1s**",
        "It begins around the 3.2-second mark and ends around the 5.1-second mark.",
        "It starts at 3.2 and it lasts until 5.1.",
        "3.2 ... 5.1",
        "1\n00:00:03,200 --> 00:00:05,100",
        "<3.2 seconds> - <5.1 seconds>",
        '{"start_sec": 3.2, "end_sec": 5.1}',
    ],
    "object_counting": [
        "two circles, one square, three triangles",
        "Two circles, one square and three triangles.",
        "There are two circles. There is one square. There are three triangles.",
        "two, one, three",
        "1) circles: 2\n2) squares: 1\n3) triangles: 3",
        "1. **Circles**: 2\n2. **Squares**: 1\n3. **Triangles**: 3",
        "- circles: 2\n- squares: 1\n- triangles: 3",
        "* Circles: **2**\n* Squares: **1**\n* Triangles: **3**",
        "circles = 2, squares = 1, triangles = 3",
        "circles (2), squares (1), triangles (3)",
        "Circles → 2, Squares → 1, Triangles → 3",
        "Number of circles: 2\nNumber of squares: 1\nNumber of triangles: 3",
        '{"circles": 2, "squares": 1, "triangles": 3}',
        '{"circles":2,"squares":1,"triangles":3}',
        '{"circle_count": 2, "square_count": 1, "triangle_count": 3}',
        '{"triangles": "3", "circles": "2", "squares": "1"}',
        "| Circles | Squares | Triangles |\n| --- | --- | --- |\n| 2 | 1 | 3 |",
        "| shape | count |\n|---|---|\n| circle | 2 |\n| square | 1 |\n| triangle | 3 |",
        "圆形：2，正方形：1，三角形：3",
        "2个圆形，1个正方形和3个三角形",
        "两个圆形、一个正方形、三个三角形",
        "圆形有2个，方形有1个，三角形有3个。",
        "$2, 1, 3$",
        "２，１，３",
        "2, 1, 3 (48 frames)",
        "<2>,<1>,<3>",
    ],
    "temporal_jigsaw": [
        "三、四、一、五、六、二",
        "第3段，第4段，第1段，第5段，第6段，第2段",
        "第三段→第四段→第一段→第五段→第六段→第二段",
        "③④①⑤⑥②",
        "3️⃣4️⃣1️⃣5️⃣6️⃣2️⃣",
        "three, four, one, five, six, two",
        "First clip 3, then clip 4, then clip 1, then clip 5, then clip 6, and finally clip 2.",
        "Clip 3 first, then clip 4, clip 1, clip 5, clip 6, and clip 2",
        "First: Clip 3, second: Clip 4, third: Clip 1, fourth: Clip 5, fifth: Clip 6, sixth: Clip 2",
        '{"1": "Clip 3", "2": "Clip 4", "3": "Clip 1", "4": "Clip 5", "5": "Clip 6", "6": "Clip 2"}',
        "The correct order is 3, 4, 1, 5, 6, 2.",
        "The chronological order of the clips is: 3 → 4 → 1 → 5 → 6 → 2",
        '{"order": "341562"}',
        '{"answer": "341562"}',
        "| 3 | 4 | 1 | 5 | 6 | 2 |",
        "Clip 3 > Clip 4 > Clip 1 > Clip 5 > Clip 6 > Clip 2",
        "[3][4][1][5][6][2]",
        "3, 4, 1, 5, 6, 2 (6 clips)",
        "３４１５６２",
    ],
    "masked_video_prediction": [
        "The frames that fill the gap are H, A, F and D.",
        "The four missing frames are H, A, F, and D, in this order.",
        "First H, then A, then F, and finally D.",
        "Frame H first, then frame A, then frame F, then frame D",
        "First: H, second: A, third: F, fourth: D",
        '{"first": "H", "second": "A", "third": "F", "fourth": "D"}',
        '{"1": "H", "2": "A", "3": "F", "4": "D"}',
        '{"answer": "HAFD"}',
        "1: H\n2: A\n3: F\n4: D",
        "选H、A、F、D",
        "Ｈ，Ａ，Ｆ，Ｄ",
        "ⒽⒶⒻⒹ",
        "h, a, f and d",
        "frame h, frame a, frame f, frame d",
        "answer: hafd",
        "H > A > F > D",
        "(H)(A)(F)(D)",
        "Video H, Video A, Video F, Video D",
        "图H、图A、图F、图D",
        "候选帧H，候选帧A，候选帧F，候选帧D",
        "Is it A, B, C, D? No.\nH, A, F, D",
        "Is it A, B, C, D? No.\nHAFD",
        "A frame that shows the dog comes second. The order is H, A, F, D.",
    ],
}


WRITTEN |= dict.fromkeys(INTERVALS, WRITTEN["anomaly_grounding"])


@pytest.mark.parametrize("task", WRITTEN)
def test_what_models_print(task):
    assert unread(task, WRITTEN[task]) == []


REFUSED = {
    "anomaly_grounding": [
        "3.2-5.1 or 6-7",
        "3.2-5.1 or 6",
        "3.2 or 3.4 - 5.1",
        "3.2-5.1, maybe 3.2-6",
        "[[3.2, 5.1], [7, 8]]",
        '{"windows": [[3.2, 5.1], [3.2, 6]]}',
        "3.2-5.1, 3.2-6.1, 3.2-7.1",
        "It is not 3.2-5.1.",
        "3.2-5.1 is wrong.",
        "not 3.2-5.1 but 6-7",
        "3.2-5.1 is not right, 6-7 is",
        "Answer: 3.2-5.1 or 6-7",
        "The answer is 6-7 or the answer is 3.2-5.1",
        "3.2-5.1. Answer: 3.2-5.1 or 6-7",
        "-3.2-5.1",
        "3.2 - -5.1",
        "frames 3.2-5.1",
        "frames 3.2 to 5.1",
        "frames [3.2, 5.1]",
        "第3.2帧到第5.1帧",
        "3.2-5.1 frames",
        "3.2%-5.1%",
        "3.2-5.1 %",
        "百分之3.2到百分之5.1",
        "3.2-5.1 minutes",
        "3.2分到5.1分",
        "3.2-5.1 ms",
        "3.2毫秒到5.1毫秒",
        "3.2 hours to 5.1 hours",
        "03:20-05:10",
        "5.1 ← 3.2",
        "3.2 <- 5.1",
        "3,2-5,1",
        "3.2 ± 5.1",
        "3.2 and maybe 5.1",
        "At 3.2 the dog jumps, 5.1 metres far.",
        "<think>3.2-5.1",
        "<think>3.2-5.1</think>",
        "<thinking>3.2-5.1</thinking>",
        "3.2-5.1 <answer></answer>",
        '{"answer": "unknown", "guess": "3.2-5.1"}',
    ],
    "object_counting": [
        "2,1,3 or 2,1,4",
        "2,1,3 or 4",
        "2 to 3, 1, 3",
        "1-2, 1, 3",
        "1-2, 3",
        "1/2, 3",
        "2~1~3",
        "2 or 3 circles, 1 square, 3 triangles",
        "1 to 2 circles, 1 square, 3 triangles",
        "between 1 and 2 circles, 1 square, 3 triangles",
        "1到2个圆形，1个正方形，3个三角形",
        "circles: 2 or 3, squares: 1, triangles: 3",
        "two or three circles, one square, three triangles",
        "2,1,3? 2,1,4? 3,1,3?",
        "not 2,1,3",
        "2,1,3 is wrong, it is 2,1,4",
        "It isn't 2,1,3.",
        "-2,1,3",
        "2,-1,3",
        "2.5,1,3",
        "frames 2, 1, 3",
        "第2帧、第1帧、第3帧",
        "2%, 1%, 3%",
        "2+1+3",
        "two circles, 1 square, 3 triangles",
        "circles: 2, squares: 1",
        "<think>2,1,3",
        "3 ← 1 ← 2",
    ],
    "temporal_jigsaw": [
        "341562 or 341526",
        "2 frame 341562",
        "341562 or 3,4,1,5,2,6",
        "3,4,1,5,6,2 or 3,4,1,5,2,6",
        "341562, maybe 341526",
        "not 341562",
        "341562 is wrong",
        "not 341562 but 341526",
        "-341562",
        "frames 3, 4, 1, 5, 6, 2",
        "Frame 3, Frame 4, Frame 1, Frame 5, Frame 6, Frame 2",
        "2 ← 6 ← 5 ← 1 ← 4 ← 3",
        "3 <- 4 <- 1 <- 5 <- 6 <- 2",
        "3 \\leftarrow 4 \\leftarrow 1 \\leftarrow 5 \\leftarrow 6 \\leftarrow 2",
        "3 or 4, 1, 5, 6, 2",
        "Clip 1: 3, Clip 2: 4, Clip 3: 1, Clip 4: 5, Clip 5: 6, Clip 6: 2",
        '{"1": 3, "2": 4, "3": 1, "4": 5, "5": 6, "6": 2}',
        "3%, 4%, 1%, 5%, 6%, 2%",
        "3.4.1.5.6.2",
        "<thinking>341562",
    ],
    "masked_video_prediction": [
        "H, A, F, D or H, A, D, F",
        "H, A, F, D or B",
        "HAFD or HADF",
        "H or A, F, D",
        "not H, A, F, D",
        "HAFD is wrong",
        "H, A, F, D, B",
        "H, A, F",
        "H ← A ← F ← D",
        "H <- A <- F <- D",
        '{"2": "A", "1": "H", "3": "F", "4": "D"}',
        "I had a fade. HAF D",
        "<think>HAFD",
        "the hafd",
    ],
}  # fmt: skip


REFUSED |= dict.fromkeys(INTERVALS, REFUSED["anomaly_grounding"])


@pytest.mark.parametrize("task", REFUSED)
def test_what_must_not_be_rewarded(task):
    assert [text for text in REFUSED[task] if result(task, text)["score"] > 0] == []


@pytest.mark.parametrize("task", TRUTHS)
def test_other_answers_beside_the_right_one_earn_nothing(task):
    """Whatever link joins two whole answers, none of them is taken."""
    right = TRUTHS[task]
    others = {
        "arrow_of_time": "1,3,6",
        "masked_video_prediction": "HADF",
        "motion_primitives/order": "341526",
        "object_counting": "2,1,4",
        "spatial_jigsaw": "341526",
        "temporal_jigsaw": "341526",
    }
    wrong = others.get(task, "3.2-6.1")
    links = (" or ", "; ", " / ", " | ", ". ", "? ", " vs ", " 或 ", " and ", "), (", "], [")
    texts = [f"({one}{link}{other})" for link in links for one, other in ((right, wrong), (wrong, right))]
    texts = [
        mark.format(text) for mark in ("{}", "Answer: {}", "<answer>{}</answer>", "\\boxed{{{}}}") for text in texts
    ]
    assert [text for text in texts if result(task, text)["score"] > 0] == []
