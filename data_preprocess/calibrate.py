"""Helps a person choose kappa: from which similarity on do two frames look alike? Shows pairs of a corpus, and how many
frames each kappa would leave.

An embedding's kappa depends on its weights and on the videos, and only a person can say which frames look alike.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from data_preprocess.compare_frames import Compared, CompareJob, Pair, compare_frames, subset_key
from data_preprocess.corpus import Corpus, find_videos
from data_preprocess.file_state import look_at
from data_preprocess.run_local import run_isolated
from videossr_verl.errors import BadInput
from videossr_verl.tasks.draw import DrawSettings
from videossr_verl.tasks.presets import Subset, load_preset, with_embedding
from videossr_verl.video.embedding import default_kappa, describe_embedding
from videossr_verl.video.probe_record import Failure

PRESETS = ("mvp_easy", "mvp", "mvp_hard", "mvp_harder")
PAIRS_A_ROW = 6
TIMEOUT = 600.0  # seconds for one video
# The kappas that are shown: 1 - step * (1 - kappa). They lie closer near kappa and near 1, whatever kappa is.
_STEPS = (3, 2.5, 2, 1.5, 1.25, 1, 0.8, 0.6, 0.4, 0.2)


@dataclass(frozen=True)
class CalibrateSettings:
    """What to look at.

    Attributes:
        sources: folders, globs, videos, "@list.txt" (see `find_videos`).
        presets: names or YAML files; the first one's clips give the frames.
        embedding: "built_in" or a CLIP checkpoint; None: as the first preset says.
        kappa: in the middle of those shown; None: the embedding's own.
        limit: so many videos at most, chosen at random, always the same ones.
        embedding_folder: keeps embeddings of frames for builds; None: nowhere.
        workers: processes; None: one per core.
    """

    sources: tuple[str, ...]
    presets: tuple[str, ...] = PRESETS
    embedding: str | None = None
    kappa: float | None = None
    limit: int = 200
    embedding_folder: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("workers", self.workers)):
            if value is not None and value < 1:
                raise BadInput(f"{name} is {value}, must be at least 1")
        if self.kappa is not None and not 0 < self.kappa < 1:
            raise BadInput(f"kappa is {self.kappa}, must be between 0 and 1")


@dataclass(frozen=True)
class Calibration:
    """What was found.

    Attributes:
        embedding: its name.
        default: its own kappa, in use unless a preset says otherwise.
        kappas: rising.
        videos, frames: how many were compared.
        neighbours: similarities below which a tenth, half and nine tenths of the pairs of neighbours lie.
        kept: share of the frames that de-duplication keeps, by kappa.
        carried: for each preset the number of videos that can carry it, by kappa.
        rows: pairs of different videos, for the spans from a kappa to the next, the last one to 1.
        unusable: reason -> number of videos.
    """

    embedding: str
    default: float
    kappas: tuple[float, ...]
    videos: int
    frames: int
    neighbours: tuple[float, float, float]
    kept: tuple[float, ...]
    carried: dict[str, tuple[int, ...]]
    rows: tuple[tuple[Pair, ...], ...]
    unusable: Counter[str]


def calibrate(settings: CalibrateSettings) -> Calibration:
    """Compares the frames of the videos with each other. Raises BadInput for wrong settings, or if no video can be
    used.
    """
    asked = _subsets(settings.presets, settings.embedding)
    embedding = next(iter(asked.values())).difficulty.embedding
    default = default_kappa(embedding)
    kappa = settings.kappa or default
    kappas = tuple(sorted(round(1 - step * (1 - kappa), 6) for step in _STEPS if step * (1 - kappa) < 1))
    subsets = {(name, k): _at_kappa(one, k) for name, one in asked.items() for k in kappas}
    described = {embedding: describe_embedding(embedding)}
    corpus = find_videos(settings.sources)
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.abspath(settings.embedding_folder or scratch)
        draw = DrawSettings(0, {subset_key(*key): one for key, one in subsets.items()}, described, folder)
        found, unusable = _compare(corpus, settings, kappas, subsets, draw)
    if not found:
        reasons = ", ".join(f"{n} {reason}" for reason, n in unusable.most_common())
        raise BadInput(f"none of the videos can be used: {reasons}")
    frames = sum(one.frames for one in found)
    return Calibration(
        embedding=embedding,
        default=default,
        kappas=kappas,
        videos=len(found),
        frames=frames,
        neighbours=tuple(np.quantile([s for one in found for s in one.neighbours], (0.1, 0.5, 0.9)).tolist()),
        kept=tuple(sum(one.kept[i] for one in found) / frames for i in range(len(kappas))),
        carried={name: tuple(sum(one.carries[name, k] for one in found) for k in kappas) for name in asked},
        rows=tuple(_row([one.pairs[i] for one in found]) for i in range(len(kappas))),
        unusable=unusable,
    )


def as_text(found: Calibration) -> str:
    """Returns a table by kappa."""
    low, middle, high = found.neighbours
    lines = [
        f"{found.embedding}: {found.frames} frames of {found.videos} videos",
        f"similarity of neighbours: a tenth below {low:.4f}, half below {middle:.4f}, nine tenths below {high:.4f}",
        f"{'kappa':<10}{'frames kept':<14}" + "".join(f"{name:<14}" for name in found.carried),
    ]
    for i, kappa in enumerate(found.kappas):
        videos = "".join(f"{counts[i]:<14}" for counts in found.carried.values())
        lines.append(f"{kappa:<10g}{found.kept[i]:<14.2f}{videos}")
    lines.append(f"below a preset: videos that can carry it; in use unless it says otherwise: {found.default:g}")
    if found.unusable:
        lines.append("not used: " + ", ".join(f"{n} {reason}" for reason, n in found.unusable.most_common()))
    return "\n".join(line.rstrip() for line in lines)


def _subsets(presets: tuple[str, ...], embedding: str | None) -> dict[str, Subset]:
    """Returns the presets' subsets that compare frames, by the preset's name, all with one embedding."""
    found: dict[str, Subset] = {}
    for preset in map(load_preset, presets):
        users = {n: s for n, s in preset.subsets.items() if hasattr(s.difficulty, "embedding")}
        if not users:
            raise BadInput(f"no task of preset '{preset.name}' compares frames")
        embedding = embedding or str(next(iter(users.values())).difficulty.embedding)
        alone = len(users) == 1
        same = with_embedding(preset, embedding).subsets
        found |= {preset.name if alone else f"{preset.name}/{n}": same[n] for n in users}
    return found


def _at_kappa(subset: Subset, kappa: float) -> Subset:
    return replace(subset, difficulty=replace(subset.difficulty, kappa=kappa))


def _compare(
    corpus: Corpus,
    settings: CalibrateSettings,
    kappas: Sequence[float],
    subsets: Mapping[tuple[str, float], Subset],
    draw: DrawSettings,
) -> tuple[list[Compared], Counter[str]]:
    """Returns what was found in each video, in no fixed order, and how many videos cannot be used, by reason."""
    states, rejected = look_at(corpus)
    chosen = random.Random(0).sample(list(states), min(settings.limit, len(states)))
    unusable = Counter(line["reason"] for line in rejected)
    found: dict[str, Compared] = {}
    jobs = (CompareJob(corpus.path(video), video, kappas, subsets, draw) for video in chosen)
    workers = settings.workers or len(os.sched_getaffinity(0))
    with tqdm(total=len(chosen), desc="compare", unit="video") as bar:
        for job, outcome in run_isolated(compare_frames, jobs, workers, TIMEOUT):
            if isinstance(outcome, Failure):
                unusable[outcome.reason] += 1
            else:
                found[job.video] = outcome
            bar.update()
    return [found[video] for video in chosen if video in found], unusable


def _row(pairs: list[Pair | None]) -> tuple[Pair, ...]:
    """Returns pairs of frames from the first videos that have one, by rising similarity."""
    return tuple(sorted([pair for pair in pairs if pair][:PAIRS_A_ROW], key=lambda pair: (pair.similarity, pair.video)))
