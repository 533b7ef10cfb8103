"""Exports a data set: every sample's pixels as files, and its rows as another trainer reads them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data_preprocess.export.layouts import LAYOUTS
from data_preprocess.export.media import FORMATS, Media, name_files, write_files
from data_preprocess.run_local import run_isolated
from videossr_verl.errors import BadInput
from videossr_verl.families import families
from videossr_verl.files.whole_file import whole_folder
from videossr_verl.rows.dataset_folder import read_rows, stored_data_root
from videossr_verl.rows.schema import Row
from videossr_verl.video.probe_record import Failure

SPLITS = ("train", "test")
_MARK = "exported.txt"  # only a folder with it is replaced
TIMEOUT = 600.0  # seconds for one sample


@dataclass(frozen=True)
class ExportSettings:
    """What to export, and how.

    Attributes:
        dataset: folder of a build.
        out: folder to write; an export that is there already is replaced.
        layout: of `LAYOUTS`.
        form: of `FORMATS`.
        family: of model, whose patches the frames fit.
        splits: of `SPLITS`.
        tasks: only samples of these; none: of all.
        limit: samples of each split at most, the first ones; None: all.
        data_root: where the videos are; None: as dataset.json tells.
        media_root: the rows name files below this folder, where the export will be; None: where it is.
        workers: processes; None: one per core.
    """

    dataset: Path
    out: Path
    layout: str
    form: str = "mp4"
    family: str = "qwen2_5_vl"
    splits: tuple[str, ...] = SPLITS
    tasks: tuple[str, ...] = ()
    limit: int | None = None
    data_root: str | None = None
    media_root: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        known = {"layout": LAYOUTS, "form": FORMATS, "family": families()}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise BadInput(f"{name} is '{getattr(self, name)}', must be one of {', '.join(choices)}")
        for name in ("limit", "workers"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise BadInput(f"{name} is {value}, must be at least 1")


def export(settings: ExportSettings) -> dict[str, int]:
    """Writes the export, whole or not at all. Returns the samples of each split, and the bytes of all files.

    Raises:
        BadInput: no data set there, nothing to export, a folder that holds something else, a video that cannot be
            shown, or a row that the trainer cannot read.
        MachineError: the machine failed.
    """
    out = settings.out
    if out.exists() and not (out / _MARK).is_file():
        raise BadInput(f"'{out}' is there already and is no export: give another --out")
    splits = {split: _wanted(settings, split) for split in settings.splits}
    if not any(splits.values()):
        of_tasks = f" of {', '.join(settings.tasks)}" if settings.tasks else ""
        raise BadInput(f"'{settings.dataset}' has no samples{of_tasks} to export")
    root, factor = settings.data_root or stored_data_root(settings.dataset), families()[settings.family].FACTOR
    media_root, layout = os.path.abspath(settings.media_root or out), LAYOUTS[settings.layout]
    samples: list[tuple[Row, Media]] = []
    written = {}
    for split, rows in splits.items():
        named = [name_files(row, f"media/{split}/{i:06d}", settings.form, factor) for i, row in enumerate(rows)]
        pairs = list(zip(rows, named, strict=True))
        written[split] = [layout.row(row, media, lambda file: os.path.join(media_root, file)) for row, media in pairs]
        samples += pairs
    with whole_folder(out) as folder:
        folder.mkdir(parents=True)
        size = _write_media([(row, media, folder, root, factor) for row, media in samples], settings.workers)
        for split, rows in written.items():
            layout.write(folder, split, rows)
        (folder / _MARK).write_text(f"{settings.layout}, {settings.form}, of {settings.dataset}\n")
    return {**{split: len(rows) for split, rows in splits.items()}, "bytes": size}


def _wanted(settings: ExportSettings, split: str) -> list[Row]:
    rows = read_rows(settings.dataset / f"{split}.parquet")
    return [row for row in rows if not settings.tasks or row["extra_info"]["task"] in settings.tasks][: settings.limit]


def _write_media(jobs: list[tuple[Row, Media, Path, str, int]], workers: int | None) -> int:
    """Writes the files of all rows. Returns their bytes."""
    done = run_isolated(write_files, jobs, min(workers or len(os.sched_getaffinity(0)), len(jobs)), TIMEOUT)
    size = 0
    for (row, *_), result in tqdm(done, "writing samples", len(jobs), unit="sample"):
        if isinstance(result, Failure):
            extra = row["extra_info"]
            raise BadInput(f"row {extra['index']} of {extra['split']} cannot be exported: {result.detail}")
        size += result
    return size
