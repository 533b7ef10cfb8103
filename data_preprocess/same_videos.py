"""Checks whether the videos are still those that a dataset was built from. Only then is a finished one recognised.

OUT/.videos.json has the size, the time of the last change (ns) and the content id of each file of the corpus. A file
whose size and times are still the same is not read again. A file that was touched, or copied there anew, is read again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from data_preprocess.corpus import Corpus
from data_preprocess.file_state import FileState, check_unchanged
from data_preprocess.jobs import Run
from data_preprocess.probe_corpus import as_piece, probe_key
from data_preprocess.work_folder import WorkFolder
from data_preprocess.write_dataset import write_text
from videossr_verl.video.probe import content_id

NAME = ".videos.json"
MOST_BYTES = (
    1_000_000_000  # a rejected file is read for this up to so many; a larger one that was touched counts as replaced
)


def identify_corpus(corpus: Corpus, states: Mapping[str, FileState], work: WorkFolder, run: Run) -> dict[str, str]:
    """Returns the content id of each file, by video, after `probe_corpus`. Reads the files that it rejected.

    Empty for a rejected one of more than MOST_BYTES.
    """
    pieces = {video: work.load(*probe_key(video, state)) for video, state in states.items()}
    ids = {video: piece["content_id"] for video, piece in pieces.items() if "content_id" in piece}
    ids |= {video: "" for video, state in states.items() if video not in ids and state.size > MOST_BYTES}
    keys = {video: ("content_id", video, *state) for video, state in states.items() if video not in ids}
    missing = [video for video, key in keys.items() if work.load(*key) is None]
    with tqdm(total=len(missing), desc="read", unit="video", delay=3) as bar:
        for job, outcome in run(identify, corpus.files(missing)):
            check_unchanged(corpus, job.video, states[job.video])
            work.store(as_piece(outcome), *keys[job.video])
            bar.update()
    return ids | {video: work.load(*key) for video, key in keys.items()}


def identify(path: str, video: str) -> str:
    """Runs in a worker. Returns the file's content id."""
    return content_id(path)


def write_videos(states: Mapping[str, FileState], ids: Mapping[str, str], folder: Path) -> None:
    """Writes what `find_replaced` reads."""
    lines = {video: [state.size, state.modified_ns, ids[video]] for video, state in sorted(states.items())}
    write_text(json.dumps(lines, indent=0, ensure_ascii=False) + "\n", folder / NAME)


def find_replaced(corpus: Corpus, states: Mapping[str, FileState], out: Path) -> str | None:
    """Returns the first video that differs from the one that the dataset in `out` was built from, or None."""
    noted = json.loads((out / NAME).read_text(encoding="utf-8"))
    written = (out / NAME).stat().st_mtime_ns
    if set(noted) != set(states):
        return min(set(noted) ^ set(states))
    touched = [v for v, state in states.items() if [*state[:2]] != noted[v][:2] or state.changed_ns > written]
    for video in tqdm(touched, "compare", unit="video", delay=3):
        if not noted[video][2] or content_id(corpus.path(video)) != noted[video][2]:
            return video
    if touched:
        write_videos(states, {video: content for video, (_, _, content) in noted.items()}, out)
    return None
