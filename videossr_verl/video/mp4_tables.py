"""Finds how much memory the tables of an MP4 or MOV file claim, without making them.

A file of a kilobyte may say "a billion frames of one byte each", and FFmpeg lists them all before anyone can ask how
many there are. So this module reads the numbers first, wherever in the header they stand.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from videossr_verl.video.rejected import RejectReason, VideoRejected
from videossr_verl.video.source_file import SourceFile

# What such a file may begin with. Others are not opened as MP4.
FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"junk", b"pict", b"pnot", b"uuid", b"prfl")
FIRST_BOXES += (b"styp", b"moof", b"sidx")  # fragments
MAX_BOXES = 1_000_000  # the most at the top level: 18 hours in fragments of a second are 130,000
MAX_HEADER = 256_000_000  # the most bytes of all boxes but the media's own; 2,000,000 frames need 50,000,000
MAX_ENTRIES = 16_000_000  # the most in all tracks together: 18 hours of video and sound have 5,000,000
ENTRY_BYTES = 24  # what FFmpeg takes for each frame

# Number of samples, of edits (each may show all samples once more), of samples in a fragment; a compressed header.
_TABLES = re.compile(rb"trak|stsz|stz2|elst|trun|cmov")
_HAS_SIZES = 0x200  # flag of a fragment that spends at least four bytes on each sample


def looks_like_mp4(path: str) -> bool:
    """Returns whether the file begins as MP4 and MOV files do. Raises MachineError if it cannot be read."""
    with SourceFile(path) as file:
        return file.read(8)[4:] in FIRST_BOXES


def check_tables(path: str, max_block: int) -> None:
    """Refuses a file whose tables would need more memory than any real file's.

    Args:
        max_block: bytes of the largest block that FFmpeg may allocate, so of one track's table.

    Raises:
        VideoRejected: too_large.
        MachineError: the file cannot be read.
    """
    with SourceFile(path) as file:
        entries = 0
        for samples, edits in _tracks(_headers(file, path), path):
            entries += max(samples, min(samples * edits, max_block // ENTRY_BYTES))
    if entries > MAX_ENTRIES:
        raise _too_large(path, f"claims {entries} entries in its tables of frames; the limit is {MAX_ENTRIES}")


def _headers(file: SourceFile, path: str) -> Iterator[bytes]:
    """Yields the contents of the boxes at the top, except the media's own."""
    end, at, read = file.size, 0, 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8]) if len(head) >= 8 else (0, b"")
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack(">Q", head[8:])
        size = size or end - at  # 0: up to the file's end
        if size < 8 or at >= end:
            return
        size = min(size, end - at)
        if kind not in (b"mdat", b"\0\0\0\0"):  # the second means zeros up to the file's end
            read += size
            if read > MAX_HEADER:
                raise _too_large(path, f"has a header of more than {MAX_HEADER} bytes")
            file.seek(at)
            yield file.read(size)
        at += size
    raise _too_large(path, f"has more than {MAX_BOXES} parts")


def _tracks(headers: Iterator[bytes], path: str) -> Iterator[tuple[int, int]]:
    """Yields for each track how many samples it claims, and how often edits may show them. Fragments count one by
    one.
    """
    for header in headers:
        samples, edits = 0, 1
        for found in _TABLES.finditer(header):
            kind, numbers = found[0], header[found.end() : found.end() + 12].ljust(12, b"\0")
            flags, first, second = struct.unpack(">3I", numbers)
            if kind == b"cmov":
                raise _too_large(path, "has a compressed header, which may become of any size: write it anew")
            if kind == b"trak":
                yield samples, edits
                samples, edits = 0, 1
            elif kind == b"elst":
                edits += first
            elif kind == b"trun":
                samples += 0 if flags & _HAS_SIZES else first
            else:
                samples += second
        yield samples, edits


def _too_large(path: str, detail: str) -> VideoRejected:
    return VideoRejected(RejectReason.TOO_LARGE, f"{path} {detail}")
