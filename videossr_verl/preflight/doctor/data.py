"""Checks whether the videos are here, and are those that the data set was built from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from videossr_verl.errors import BadInput, MachineError
from videossr_verl.preflight.doctor.findings import Finding, failure, ok


def check_data(data_root: str | None, data: str | None) -> Iterator[Finding]:
    """Checks the data root, found as a run finds it, and the first video of the parquet file `data`. None is not
    checked.
    """
    if data_root is None:
        return
    from videossr_verl.train import dataset

    here = os.path.expandvars(data_root)
    shown = f"'{data_root}'" if here == data_root else f"'{data_root}' (here '{here}')"
    try:
        root = Path(dataset.data_root({"data_root": data_root}))
    except BadInput:
        remedy = "mount or copy the videos there; in '$NAME/videos' each node has its own NAME, set before Ray starts"
        yield failure("data root", f"{shown} is not a folder here", remedy)
        return
    if not os.access(root, os.R_OK | os.X_OK):
        yield failure("data root", f"{shown} cannot be read", "give this user the right to read it")
        return
    yield ok("data root", f"{shown} is there")
    if data is not None:
        yield _first_video(data, root)


def _first_video(data: str, root: Path) -> Finding:
    """Checks that the first row's video has the bytes that the row was made from."""
    from videossr_verl.prompt.render import resolve_path
    from videossr_verl.rows.dataset_folder import read_rows
    from videossr_verl.video.probe import content_id

    try:
        row = read_rows(data)[0]
        video = row["videos"][0]["video"]
        found = content_id(resolve_path(video, root))
    except (MachineError, OSError, ValueError, IndexError) as error:
        remedy = "give the data set's parquet file and the data root that it was built on"
        return failure("a sample's video", str(error), remedy)
    if found != row["extra_info"]["video_id"]:
        return failure(
            "a sample's video", f"'{video}' is not the file that the data set was built from", "copy it again"
        )
    return ok("a sample's video", f"'{video}' has the bytes that the data set was built from")
