"""Multiple-choice benchmarks that lmms-eval lacks, or scores in another way: AoTBench, CVBench (across videos), and the
text half of Vinoground.

Prompt: VideoSSR's (Fig. 7), the question and then "Answer with the option letter directly."
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import datasets
import numpy as np

from videossr_verl.evaluate.lmms.choice import letter, yes_or_no
from videossr_verl.evaluate.lmms.local_rows import annotation, as_dataset, read_json, video_of

Doc = Mapping[str, Any]
PROMPT = "{question}\nAnswer with the option letter directly."
AOT_FILES = ("ReverseFilm", "UCF101", "Rtime_t2v", "Rtime_v2t", "AoTBench_QA")


def load_aotbench(_: datasets.Dataset) -> datasets.Dataset:
    """Yields the five files of huggingface.co/datasets/sherryxzh/AoTBench, pooled; their questions hold the
    instruction.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for kind in AOT_FILES:
            for r in read_json(annotation("aotbench", f"{kind}.json")):
                yield _row("aotbench", [r["video_name"]], r["question"], r["ans"], kind)

    return as_dataset(rows())


def load_cvbench(_: datasets.Dataset) -> datasets.Dataset:
    """Yields test-00000-of-00001.parquet of huggingface.co/datasets/Dongyh35/CVBench, with 2 to 4 videos a question."""
    table = datasets.Dataset.from_parquet(str(annotation("cvbench", "test-00000-of-00001.parquet")))

    def rows() -> Iterator[dict[str, Any]]:
        for r in cast(Iterable[Doc], table):  # its stubs allow columns too
            videos = [r[f"video_{i}"] for i in range(1, 5) if r[f"video_{i}"]]
            said = r["answer"].strip().rstrip(".")
            instruct = "Answer with Yes or No directly." if said.lower() in ("yes", "no") else None
            question = "\n".join([r["question"], *r["options"]])
            text = f"{question}\n{instruct}" if instruct else PROMPT.format(question=question)
            yield _row("cvbench", videos, text, said, r["task_type"])

    return as_dataset(rows())


def load_vinoground(_: datasets.Dataset) -> datasets.Dataset:
    """Returns vinoground_textscore.json of huggingface.co/datasets/HanSolo9682/Vinoground: 500 pairs of questions."""
    rows = read_json(annotation("vinoground", "vinoground_textscore.json"))
    return as_dataset(
        _row("vinoground", [r["video_name"]], PROMPT.format(question=r["question"]), r["GT"], r["idx"].split("_")[0])
        for r in rows
    )


def _row(benchmark: str, videos: Sequence[str], text: str, answer: str, kind: str) -> dict[str, Any]:
    return {"benchmark": benchmark, "videos": list(videos), "text": text, "answer": str(answer), "kind": kind}


def doc_to_text(doc: Doc, lmms_eval_specific_kwargs: Any = None) -> str:
    """Returns the question."""
    return doc["text"]


def doc_to_target(doc: Doc) -> str:
    """Returns the answer."""
    return doc["answer"]


def doc_to_messages(doc: Doc, lmms_eval_specific_kwargs: Any = None) -> list[dict[str, Any]]:
    """Returns the videos, then the question."""
    videos = [{"type": "video", "url": video_of(doc["benchmark"], name)} for name in doc["videos"]]
    return [{"role": "user", "content": [*videos, {"type": "text", "text": doc["text"]}]}]


def process_results(doc: Doc, results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns whether the answer is right, and whether one was found; in percent."""
    truth = doc["answer"].strip()
    if truth.lower() in ("yes", "no"):
        said, right = yes_or_no(results[0]), truth.lower()
    else:
        said, right = letter(results[0]), truth[:1].upper()
    where = {"video": doc["videos"][0], "kind": doc["kind"]}
    return {
        "accuracy": {"score": 100.0 * (said == right), **where},
        "parsed": {"score": 100.0 * (said is not None), **where},
    }


def process_pair(doc: Doc, results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Works as `process_results`, and under `text_score` for the pairs."""
    figures = process_results(doc, results)
    return figures | {"text_score": figures["accuracy"]}


def mean(payloads: Sequence[Mapping[str, Any]]) -> float:
    """Returns the plain mean over the questions."""
    return float(np.mean([payload["score"] for payload in payloads]))


def both_right(payloads: Sequence[Mapping[str, Any]]) -> float:
    """Returns the percent of pairs whose questions are both answered right (Vinoground's text score)."""
    pairs: dict[str, list[float]] = {}
    for payload in payloads:
        pairs.setdefault(payload["kind"], []).append(payload["score"])
    return 100 * float(np.mean([min(scores) == 100 for scores in pairs.values()]))
