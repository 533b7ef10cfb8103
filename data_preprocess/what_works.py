"""Finds what to do if no video can carry a task: tries the presets that ship with the package on some of the videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeGuard

from data_preprocess.draw_corpus import SampleStore
from data_preprocess.jobs import Run
from data_preprocess.probe_corpus import Video
from videossr_verl.tasks.draw import draw_samples
from videossr_verl.tasks.presets import Subset, load_preset, preset_names
from videossr_verl.video.probe_record import Failure

TRIED = 8  # videos


def what_works(subset: Subset, videos: Sequence[Video], store: SampleStore, run: Run) -> str:
    """Returns a sentence that says which preset's knobs for this task would work, for how many of the videos tried, and
    what differs.
    """
    others = _other_subsets(subset)
    tried = videos[:TRIED]
    trial = replace(store, settings=replace(store.settings, subsets=others))
    works: Counter[str] = Counter()
    for _, drawn in run(draw_samples, (trial.job(video, dict.fromkeys(others, 1)) for video in tried)):
        if not isinstance(drawn, Failure):
            works.update(name for name, samples in drawn.items() if "cannot" not in samples[0])
    if not works:
        return f"no preset works for any of the {len(tried)} videos tried: give longer ones, in which more happens"
    best = min(works, key=lambda name: (-works[name], len(_differences(subset, others[name])), name))
    knobs = ", ".join(f"{name} {value}" for name, value in _differences(subset, others[best]).items())
    return f"its settings in preset {best} would work for {works[best]} of the {len(tried)} videos tried ({knobs})"


def _other_subsets(subset: Subset) -> dict[str, Subset]:
    """Returns the subsets by preset, each with `subset`'s picture size, decoder and embedding, so that no other model
    is needed.
    """
    found: dict[str, Subset] = {}
    for name in preset_names():
        other = load_preset(name).subsets.get(subset.task)
        if other is None:
            continue
        same = {name: getattr(subset.clip, name) for name in ("min_pixels", "max_pixels", "decoder")}
        other = replace(other, clip=replace(other.clip, **same))
        if hasattr(other.difficulty, "embedding"):
            other = replace(other, difficulty=replace(other.difficulty, embedding=subset.difficulty.embedding))
        known = [subset, *found.values()]
        if all((other.difficulty, other.clip) != (one.difficulty, one.clip) for one in known):
            found[name] = other
    return found


def _differences(one: Subset, other: Subset) -> Mapping[str, Any]:
    """Returns those knobs of the other that differ."""
    knobs = {name: value for part in (other.clip, other.difficulty) for name, value in asdict(part).items()}
    ours = asdict(one.clip) | asdict(one.difficulty)
    return {name: _readable(value) for name, value in knobs.items() if ours[name] != value}


def _readable(value: object) -> str:
    return " to ".join(f"{x:g}" for x in value) if _is_range(value) else str(value)


def _is_range(value: object) -> TypeGuard[tuple[float, ...]]:
    return isinstance(value, tuple) and all(isinstance(x, (int, float)) for x in value)
