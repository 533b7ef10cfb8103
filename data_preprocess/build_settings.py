"""What to build, and how many samples of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_preprocess.choose import share_out
from data_preprocess.file_names import is_utf8, readable
from videossr_verl.errors import BadInput
from videossr_verl.tasks.presets import Preset

TEST_SHARE = 0.1


@dataclass(frozen=True)
class BuildSettings:
    """What to build. The result does not depend on `workers`, `ray_address`, `timeout`, `embedding_folder`.

    Attributes:
        sources: folders, globs, videos, "@list.txt" (see `find_videos`).
        out: folder for the dataset.
        preset: name or YAML file (see `presets`).
        count: train samples; None: one for each train video and task (fewer where clips cannot carry a task),
            or the sum of `mix`.
        test_count: test samples; None: in the same proportion to `count` as the videos.
        test_share: share of the videos kept for test, 0 <= x <= 1; None: the test samples' share, else 0.1. With 1
            there are test samples only, and `mix` has their numbers.
        seed: of everything random, >= 0.
        mix: task -> weight with `count`, else task -> number of train samples; None: the preset's weights.
        data_root: folder that paths in the rows are relative to; None: the deepest common one.
        held_out_from: datasets of `build`, folders or their files of rows: a video that they show, or that looks like
            one, is left out ("held_out").
        refuse_known: such a video is an error instead.
        decoder: "pyav" or "decord" (see `videossr_verl.video.decode`); None: as the preset says.
        models: model folders whose processors count `num_prompt_tokens`.
        embedding: "built_in" or a CLIP checkpoint (see `videossr_verl.video.embedding`); None: as the preset says.
        embedding_folder: keeps embeddings of frames for later builds; None: in the work folder, gone at the end.
        workers: processes on this machine; None: one per core.
        ray_address: run on this Ray cluster instead.
        timeout: seconds for one video in one stage; then it is rejected ("timeout").
    """

    sources: tuple[str, ...]
    out: str
    preset: str = "videossr"
    count: int | None = None
    test_count: int | None = None
    test_share: float | None = None
    seed: int = 0
    mix: Mapping[str, float] | None = None
    data_root: str | None = None
    held_out_from: tuple[str, ...] = ()
    refuse_known: bool = False
    decoder: str | None = None
    models: tuple[str, ...] = ()
    embedding: str | None = None
    embedding_folder: str | None = None
    workers: int | None = None
    ray_address: str | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        for name, low in (("count", 1), ("test_count", 0), ("seed", 0), ("workers", 1), ("timeout", 1)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise BadInput(f"{name.replace('_', ' ')} is {value}, must be at least {low}")
        for folder in (self.out, self.embedding_folder or ""):
            if not is_utf8(folder):
                raise BadInput(f"the folder '{readable(folder)}' has a name that is not UTF-8: give another one")
        if self.test_share is not None and not 0 <= self.test_share <= 1:
            raise BadInput(f"test share is {self.test_share}, must be from 0 to 1")
        if self.test_share == 1 and (self.count is not None or not self.mix):
            raise BadInput("a test share of 1 makes no train samples: give exact numbers of test samples as the mix")
        if self.test_share == 0 and self.test_count:
            raise BadInput(f"{self.test_count} test samples cannot come from a test share of 0")
        if self.mix and self.count is None and not all(float(n).is_integer() for n in self.mix.values()):
            raise BadInput("the mix has weights that are not whole numbers, so it needs a count (--count)")


def test_share(settings: BuildSettings) -> float:
    """The share of the videos that is kept for test."""
    if settings.test_count == 0:
        return 0.0
    if settings.test_share is not None:
        return settings.test_share
    count = settings.count or int(sum((settings.mix or {}).values()))
    tests = settings.test_count
    return tests / (count + tests) if count and tests else TEST_SHARE


def wanted_samples(settings: BuildSettings, preset: Preset, train_videos: int) -> dict[str, dict[str, int]]:
    """Samples by split and task."""
    if settings.mix and settings.count is None:
        train = {task: int(n) for task, n in settings.mix.items()}
    else:
        train = share_out(settings.count or train_videos * len(preset.weights), preset.weights)
    share = test_share(settings)
    if share == 1:
        return {"train": {}, "test": train}
    test_count = settings.test_count
    if test_count is None:
        in_proportion = round(sum(train.values()) * share / (1 - share))
        test_count = max(in_proportion, len(preset.weights) if share else 0)
    return {"train": train, "test": share_out(test_count, preset.weights)}
