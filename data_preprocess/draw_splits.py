"""Draws the samples of both splits, and decides what becomes of a task that no video can carry."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from data_preprocess.build_settings import BuildSettings, test_share, wanted_samples
from data_preprocess.choose import Pick, rank_videos, shuffled
from data_preprocess.draw_corpus import SampleStore, draw_split
from data_preprocess.jobs import Run
from data_preprocess.probe_corpus import Rejected, Video, warn_of_bugs
from data_preprocess.what_works import what_works
from data_preprocess.work_folder import NAME as WORK_NAME
from videossr_verl.errors import BadInput
from videossr_verl.printable import tell
from videossr_verl.tasks.presets import Preset


class DrawnSplits(NamedTuple):
    """The picks by split, in row order; a line for what failed on the way; why subsets are left out, by subset."""

    picks: dict[str, list[Pick]]
    rejected: list[Rejected]
    left_out: dict[str, str]


def draw_splits(
    settings: BuildSettings,
    preset: Preset,
    splits: Mapping[str, list[str]],
    videos: Mapping[str, Video],
    store: SampleStore,
    run: Run,
) -> DrawnSplits:
    """Draws until each split has what the settings want of it, or its videos are used up.

    Raises:
        BadInput: it cannot be had, and the settings give exact numbers or nothing is left.
    """
    wanted = wanted_samples(settings, preset, len(splits["train"]))
    counts_are_given = any((settings.count, settings.mix, settings.test_count))
    chosen, short, impossible, rejected = {}, [], [], []
    for split, ids in splits.items():
        chosen[split], drawn = draw_split(split, {c: videos[c] for c in ids}, wanted[split], store, run)
        rejected += drawn.rejected
        for subset, count in sorted(wanted[split].items()):
            possible = drawn.possible(subset)
            if possible < count:
                short.append(f"{possible} of {count} {split} samples of {subset}")
                # A test set without training samples has all of them.
                impossible += [subset] if not possible and (split == "train" or not wanted["train"]) else []
    warn_of_bugs(rejected)
    left_out = {}
    for subset in impossible if any(splits.values()) else []:
        why = next((line["detail"] for line in rejected if line.get("task") == subset), "no video can carry it")
        ranked = [videos[c] for ids in splits.values() for c in rank_videos(ids, settings.seed)]
        left_out[subset] = f"{why}; {what_works(preset.subsets[subset], ranked, store, run)}"
    reasons = "".join(f"; {subset}: {why}" for subset, why in left_out.items())
    if short and (counts_are_given or len(left_out) == len(preset.subsets)):
        raise BadInput(
            f"the videos cannot give so many samples: possible are {', '.join(short)}, from "
            f"{len(splits['train'])} train and {len(splits['test'])} test videos{reasons}; "
            f"lower the counts, ease the task or add videos (work so far: {Path(settings.out) / WORK_NAME})"
        )
    if left_out:
        tell(f"warning: no video can carry {', '.join(left_out)}, left out{reasons}", file=sys.stderr)
    elif short:
        tell(f"note: not every video can carry every task; there are {', '.join(short)}", file=sys.stderr)
    kept = {split: [pick for pick in picks if pick.subset not in left_out] for split, picks in chosen.items()}
    if not kept["test"]:
        tell(f"note: {_no_test_set(settings, splits)}", file=sys.stderr)
    picks = {split: shuffled(chosen, settings.seed) for split, chosen in kept.items()}
    return DrawnSplits(picks, rejected, left_out)


def _no_test_set(settings: BuildSettings, splits: Mapping[str, list[str]]) -> str:
    """Returns why there is no test set, and how to train then."""
    if not test_share(settings):
        why = "as asked for"
    elif splits["test"]:
        why = f"since none of the {len(splits['test'])} test videos can carry a task"
    else:
        why = "since all usable videos look alike" if len(splits["train"]) > 1 else "since only one video is usable"
    return (
        f"there is no test set, {why}; to train, give another dataset's test.parquet as data.val_files, or this "
        "train.parquet with trainer.val_before_train=False trainer.test_freq=-1, which never looks at it"
    )
