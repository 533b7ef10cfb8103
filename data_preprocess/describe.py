"""dataset.json: says what a dataset is, so that another person can judge and repeat it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from data_preprocess.choose import Pick
from data_preprocess.corpus import Corpus
from data_preprocess.probe_corpus import Rejected, Video
from reward_fns import compute_score
from videossr_verl.errors import BadInput
from videossr_verl.rows.schema import Row, compact, make_row
from videossr_verl.tasks.draw import DrawnSample
from videossr_verl.tasks.presets import Preset

if TYPE_CHECKING:
    from videossr_verl.prompt.tokens import PromptTokenCounter  # takes seconds to import


@cache
def library_versions() -> dict[str, str]:
    """Returns the versions of the libraries on which the rows depend."""
    import av
    import cv2
    import numpy
    import pyarrow

    try:
        own = version("videossr-verl")
    except PackageNotFoundError:
        own = "unknown"
    return {
        "videossr-verl": own,
        "av": av.__version__,
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
        "pyarrow": pyarrow.__version__,
    }


class RowSummary:
    """Makes the rows, one by one, and keeps the numbers about them that dataset.json tells."""

    def __init__(self, counters: Sequence[PromptTokenCounter]) -> None:
        """`counters`: of the models that the dataset is for; may be empty."""
        self.counters = counters
        self.counts: dict[str, Counter[str]] = {}
        self.hashes: dict[tuple[str, str], set[str]] = {}
        self.borrowed: dict[str, set[str]] = {}
        self.chances: dict[str, list[float]] = {}
        self.tokens: dict[str, list[int]] = {counter.key: [] for counter in counters}

    def rows(
        self,
        samples: Iterable[tuple[Pick, DrawnSample]],
        total: int,
        split: str,
        preset: str,
        look_alikes: Mapping[str, str],
    ) -> Iterator[Row]:
        """Yields the rows of a split, in order, from its `total` samples. `look_alikes` is as for
        `plan.split_videos`.
        """
        self.counts[split] = Counter()
        for index, (pick, sample) in enumerate(tqdm(samples, f"write {split}", total, unit="row")):
            self.counts[split][pick.subset] += 1
            self.hashes.setdefault((split, pick.subset), set()).add(sample["hash"])
            row = make_row(pick.subset, pick.content_id, look_alikes[pick.content_id], sample, index, split, preset)
            self.borrowed.setdefault(split, set()).update(_lenders(row))
            self.chances.setdefault(pick.subset, []).append(_check_label(row))
            row["extra_info"]["num_prompt_tokens"] = compact(self._count_tokens(row))
            yield row

    def subset(self, name: str) -> dict[str, Any]:
        """Returns numbers about one subset: samples and distinct samples by split, and the chance level."""
        return {
            "samples": {split: counts[name] for split, counts in self.counts.items()},
            "distinct_samples": {split: len(self.hashes.get((split, name), ())) for split in self.counts},
            "chance": round(fmean(self.chances[name]), 6) if name in self.chances else None,
        }

    def _count_tokens(self, row: Row) -> dict[str, int]:
        counts, counted = {}, (row["prompt"], row["videos"], row["images"])
        for counter in self.counters:
            counts[counter.row_key(*counted)] = count = counter.count(*counted)
            self.tokens[counter.key].append(count)
        return counts


@dataclass(frozen=True)
class FinishedBuild:
    """What was asked for, and what became of it.

    Attributes:
        request: identifies what was asked for.
        embeddings: of the tasks, by name, as `describe_embedding` tells them.
        videos: the usable ones.
        rejected: the others, and those that a task could not use.
        unsigned: how many of `videos` show too little to be compared by their pictures.
        look_alikes: a line for each group of them, as in look_alikes.jsonl.
        left_out: tasks without a sample, and why.
        picks: by split, the samples in the order of the rows.
        fingerprints: of the rows, by split.
        summary: the rows' numbers.
    """

    preset: Preset
    seed: int
    request: str
    embeddings: Mapping[str, Mapping[str, str]]
    corpus: Corpus
    videos: Sequence[Video]
    rejected: Sequence[Rejected]
    unsigned: int
    look_alikes: Sequence[Mapping[str, Any]]
    left_out: Mapping[str, str]
    picks: Mapping[str, Sequence[Pick]]
    fingerprints: Mapping[str, str]
    summary: RowSummary


def describe(build: FinishedBuild) -> dict[str, Any]:
    """Returns the content of dataset.json. It holds no time and, apart from `data_root`, no place, so repeated builds
    are equal.
    """
    return {
        "preset": build.preset.name,
        "seed": build.seed,
        "data_root": build.corpus.root,
        "samples": {split: len(chosen) for split, chosen in build.picks.items()},
        "tasks": {
            name: {
                "task": subset.task,
                "weight": subset.weight,
                **build.summary.subset(name),
                "difficulty": asdict(subset.difficulty),
                "clip": asdict(subset.clip),
            }
            for name, subset in sorted(build.preset.subsets.items())
        },
        "left_out": dict(build.left_out),
        "embeddings": {name: dict(what) for name, what in build.embeddings.items()},
        "videos": _describe_videos(build),
        "num_prompt_tokens": {
            key: {"min": min(n), "mean": round(fmean(n), 1), "max": max(n)}
            for key, n in build.summary.tokens.items()
            if n
        },
        "fingerprint": dict(build.fingerprints),
        "versions": library_versions(),
        "request": build.request,
    }


def _describe_videos(build: FinishedBuild) -> dict[str, Any]:
    corpus, groups = build.corpus, build.look_alikes
    return {
        "found": len(corpus.videos) + len(corpus.rejected()),
        "usable": len(build.videos),
        "used": {split: len({pick.content_id for pick in chosen}) for split, chosen in build.picks.items()},
        "not_used": dict(Counter(line["reason"] for line in build.rejected if "task" not in line)),
        "left_out_by_name": {suffix: len(files) for suffix, files in corpus.left_out_by_suffix().items()},
        "look_alikes": {"groups": len(groups), "videos": sum(len(group["videos"]) for group in groups)},
        "compared_by_bytes_only": build.unsigned,
    }


def _lenders(row: Row) -> list[str]:
    """Returns the videos whose frames the row shows beside those of its own."""
    transforms = (json.loads(video["transform"]) for video in row["videos"])
    return [transform["source"]["video"] for transform in transforms if "source" in transform]


def _check_label(row: Row) -> float:
    """Returns the row's chance level (expected score of the best blind guess), after checking that its label earns the
    full reward.
    """
    truth, source = row["reward_model"]["ground_truth"], row["data_source"]
    try:
        result = compute_score(source, truth, truth, row["extra_info"])
    except ValueError as error:
        raise BadInput(f"the reward of '{source}' does not take the label {truth!r}: {error}") from error
    if result["score"] < 1:
        raise BadInput(f"the reward of '{source}' gives its own label {truth!r} only {result['score']}")
    return result["chance"]
