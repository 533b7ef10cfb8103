"""Finds which videos are in other datasets already, in the same bytes or in others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from data_preprocess.look_alikes import group_look_alikes
from data_preprocess.signature_file import SignedVideo, read_signatures
from videossr_verl.video.signature import Signature


class KnownVideo(NamedTuple):
    """A video, and a dataset that shows it, as the user named it."""

    dataset: str
    shown: SignedVideo


def known_videos(datasets: Iterable[str]) -> dict[str, KnownVideo]:
    """Returns all videos of all these datasets, by content id. Raises BadInput as `read_signatures`."""
    return {video.video_id: KnownVideo(dataset, video) for dataset in datasets for video in read_signatures(dataset)}


def find_known(signatures: Mapping[str, Signature], known: Mapping[str, KnownVideo]) -> dict[str, str]:
    """Returns a sentence for each content id of ours that looks like a known video, or like one of ours that does."""
    look_alikes = group_look_alikes({c: one.shown.signature for c, one in known.items()} | dict(signatures))
    by_group: dict[str, str] = {}
    for content_id in sorted(known):
        by_group.setdefault(look_alikes[content_id], content_id)
    found = {}
    for content_id in signatures:
        if (theirs := by_group.get(look_alikes[content_id])) is not None:
            dataset, video = known.get(content_id) or known[theirs]
            how = "has the same bytes as" if content_id in known else "looks like"
            found[content_id] = f"{how} '{video.video}', a {video.split} video of '{_name(dataset)}'"
    return found


def _name(dataset: str) -> str:
    """Returns the dataset's name without the folders above it, which differ between machines."""
    path = Path(dataset).absolute()
    return path.name if path.is_dir() else f"{path.parent.name}/{path.name}"
