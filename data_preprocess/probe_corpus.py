"""Looks at every file once, and finds which are usable videos, which have the same content, and which fail and why."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from data_preprocess.corpus import Corpus, Rejected
from data_preprocess.file_state import FileState, check_unchanged
from data_preprocess.jobs import Run
from data_preprocess.work_folder import WorkFolder
from videossr_verl.printable import tell
from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.video.probe import VideoRejected
from videossr_verl.video.probe_record import Failure, ProbeRecord, load_info, probe_one


@dataclass(frozen=True)
class Video:
    """A usable video of the corpus. Its time stamps stay on disk: a long corpus has billions of them."""

    video: str
    content_id: str
    probe_key: tuple


def probe_corpus(
    corpus: Corpus, states: Mapping[str, FileState], settings: Collection[ClipSettings], work: WorkFolder, run: Run
) -> tuple[list[Video], list[Rejected]]:
    """Returns the usable videos with distinct content, sorted by path, and a line for every other one of `states`.

    A video is usable if a clip can be cut by one of the settings. Of equal files the first by path is kept.
    """
    keys = {video: probe_key(video, state) for video, state in states.items()}
    missing = (v for v in states if work.load(*keys[v]) is None)
    with tqdm(total=len(states), desc="probe", unit="video") as bar:
        for job, outcome in run(probe_one, corpus.files(missing)):
            check_unchanged(corpus, job.video, states[job.video])
            work.store(as_piece(outcome), *keys[job.video])
            bar.update()
        bar.update(bar.total - bar.n)
    usable: dict[str, Video] = {}
    rejected: list[Rejected] = []
    for video in states:
        piece = work.load(*keys[video])
        if failed := rejection(piece) or _unusable(piece, video, settings):
            rejected.append({"video": video, "reason": failed.reason, "detail": failed.detail})
        elif (same := usable.get(piece["content_id"])) is not None:
            detail = f"has the same bytes as {same.video}"
            rejected.append({"video": video, "reason": "duplicate", "detail": detail, "duplicate_of": same.video})
        else:
            usable[piece["content_id"]] = Video(video, piece["content_id"], keys[video])
    return list(usable.values()), rejected


def as_piece(outcome: Any) -> Any:
    """Returns a result that can be stored: a Failure becomes {"rejected": [reason, detail]}."""
    return {"rejected": [outcome.reason, outcome.detail]} if isinstance(outcome, Failure) else outcome


def rejection(piece: Mapping[str, Any]) -> Failure | None:
    """Returns what was stored in the place of a result."""
    return Failure(*piece["rejected"]) if "rejected" in piece else None


def _unusable(piece: ProbeRecord, video: str, settings: Collection[ClipSettings]) -> Failure | None:
    """Returns the first setting's reason why no clip can be cut, or None if one of the settings can cut one."""
    info, why = load_info(piece, video), []
    for one in settings:
        try:
            sample_clip(info, video, one)
            return None
        except VideoRejected as error:
            why.append(Failure(error.reason.value, error.detail))
    return why[0]


def probe_key(video: str, state: FileState) -> tuple:
    """Returns where the video's piece is kept. A file that was changed or replaced since it was probed has another
    key.
    """
    return ("probe", video, *state)


def warn_of_bugs(rejected: list[Rejected]) -> None:
    """Warns of videos that are lost to an error of this package."""
    bugs = [line for line in rejected if line["reason"] == "internal_error"]
    if bugs:
        tell(
            f"warning: {len(bugs)} videos are left out after an unexpected error, e.g. {bugs[0]['video']}: "
            f"{bugs[0]['detail']}; please report it",
            file=sys.stderr,
        )
