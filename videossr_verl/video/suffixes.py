"""The names of files that are taken for videos in a folder, for every command alike.

The list has everything that `container.CONTAINERS` opens, as recorders, players and data sets name it. A file with
another name is still read if it is given by name. A file that is no video after all is rejected when it is opened, with
the reason.
"""

from __future__ import annotations

import os

_BY_CONTAINER = {
    "mov": (".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".ism", ".ismv", ".mj2", ".psp", ".lrv", ".insv"),
    "matroska": (".mkv", ".mk3d", ".webm"),
    "avi": (".avi", ".divx", ".amv"),
    "mpegts": (".ts", ".tp", ".trp", ".mts", ".m2t", ".m2ts", ".tod"),
    "mpeg": (".mpg", ".mpeg", ".mpe", ".m2p", ".mpv", ".vob", ".evo", ".dvd", ".mod"),
    "asf": (".asf", ".wmv"),
    "ogg": (".ogg", ".ogv", ".ogm", ".ogx"),
    "rm": (".rm", ".rmvb"),
    "dv": (".dv", ".dif"),
    "flv": (".flv",),
    "gif": (".gif",),
    "nut": (".nut",),
    "ivf": (".ivf",),
}
VIDEO_SUFFIXES = frozenset().union(*_BY_CONTAINER.values())


def has_video_suffix(name: str) -> bool:
    """Returns whether a file with this name is taken for a video."""
    return suffix(name) in VIDEO_SUFFIXES


def suffix(name: str) -> str:
    """Returns the lower-case suffix with its dot, or an empty text."""
    return os.path.splitext(name)[1].lower()
