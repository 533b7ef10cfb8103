"""dataset.json: says what a dataset is, so that another person can judge and repeat it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from statistics import fmean
from typing import Any

from tqdm import tqdm

from data_preprocess.choose import Pick
from data_preprocess.corpus import Corpus
from data_preprocess.probe_corpus import Rejected, Video
from reward_fns import compute_score
from videossr_verl.errors import BadInput
from videossr_verl.rows.schema import compact, make_row
from videossr_verl.tasks.presets import Preset


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

    def __init__(self, counters: Sequence[Any]) -> None:
        """Takes the PromptTokenCounters of the models that the dataset is for; may be empty."""
        self.counters = counters
        self.counts: dict[str, Counter[str]] = {}
        self.hashes: dict[tuple[str, str], set[str]] = {}
        self.borrowed: dict[str, set[str]] = {}
        self.chances: dict[str, list[float]] = {}
        self.tokens: dict[str, list[int]] = {counter.key: [] for counter in counters}

    def rows(
        self,
        samples: Iterable[tuple[Pick, dict[str, Any]]],
        total: int,
        split: str,
        preset: str,
        look_alikes: Mapping[str, str],
    ) -> Iterator[dict[str, Any]]:
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

    def _count_tokens(self, row: Mapping[str, Any]) -> dict[str, int]:
        counts, counted = {}, (row["prompt"], row["videos"], row["images"])
        for counter in self.counters:
            counts[counter.row_key(*counted)] = count = counter.count(*counted)
            self.tokens[counter.key].append(count)
        return counts


def describe(
    preset: Preset,
    seed: int,
    corpus: Corpus,
    videos: list[Video],
    rejected: list[Rejected],
    picks: Mapping[str, list[Pick]],
    fingerprints: Mapping[str, str],
    summary: RowSummary,
    embeddings: Mapping[str, Mapping[str, str]],
    request: str,
    *,
    look_alikes: Mapping[str, int],
    unsigned: int,
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Returns the content of dataset.json. It holds no time and, apart from `data_root`, no place, so repeated builds
    are equal.
    """
    whole_videos = Counter(line["reason"] for line in rejected if "task" not in line)
    used = {split: len({pick.content_id for pick in chosen}) for split, chosen in picks.items()}
    return {
        "preset": preset.name,
        "seed": seed,
        "data_root": corpus.root,
        "samples": {split: len(chosen) for split, chosen in picks.items()},
        "tasks": {
            name: {
                "task": subset.task,
                "weight": subset.weight,
                **summary.subset(name),
                "difficulty": asdict(subset.difficulty),
                "clip": asdict(subset.clip),
            }
            for name, subset in sorted(preset.subsets.items())
        },
        "left_out": dict(left_out),
        "embeddings": {name: dict(what) for name, what in embeddings.items()},
        "videos": {
            "found": len(corpus.videos) + len(corpus.rejected()),
            "usable": len(videos),
            "used": used,
            "not_used": dict(whole_videos),
            "left_out_by_name": {suffix: len(files) for suffix, files in corpus.left_out_by_suffix().items()},
            "look_alikes": dict(look_alikes),
            "compared_by_bytes_only": unsigned,
        },
        "num_prompt_tokens": {
            key: {"min": min(n), "mean": round(fmean(n), 1), "max": max(n)} for key, n in summary.tokens.items() if n
        },
        "fingerprint": dict(fingerprints),
        "versions": library_versions(),
        "request": request,
    }


def _lenders(row: Mapping[str, Any]) -> list[str]:
    """Returns the videos whose frames the row shows beside those of its own."""
    transforms = (json.loads(video["transform"]) for video in row["videos"])
    return [transform["source"]["video"] for transform in transforms if "source" in transform]


def _check_label(row: Mapping[str, Any]) -> float:
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
