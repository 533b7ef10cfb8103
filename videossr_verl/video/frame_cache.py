"""Decoded frames on a local disk, for videos that are slow to read or to decode: each is decoded once per use.

    cache = FrameCache("/local/frames", max_bytes=200e9)
    frames = cache.frames(path, times, size)      # equal to decode(path, times, size), bit by bit

One file per request, named by what the frames depend on: the video's bytes, the times, the size, and the decoder.
So another video or setting never finds it, and copies of a video share it. A file holds the plain pixels, which are
read about ten times as fast as JPEG files (8 MB: 3 ms) and change nothing, and a checksum. Files appear by one
rename, so any number of processes may share a folder, and a crash leaves at most a file that nobody reads.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import av
import numpy as np

from videossr_verl.files.whole_file import whole_file
from videossr_verl.files.writable_folder import make_writable
from videossr_verl.video.container import check_file
from videossr_verl.video.decode import DEFAULT_DECODER, decode
from videossr_verl.video.probe import content_id

logger = logging.getLogger(__name__)

SUFFIX = ".frames"
# A process weighs the folder each time it has written this share of the limit. So P processes together may exceed the
# limit by P such shares.
WEIGH_EVERY = 1 / 64
TOLD_EVERY = 1000  # requests
ID_DIGITS = 16  # of a content id
ABANDONED = 3600.0  # a half-written file belongs to nobody after so many seconds


class FrameCache:
    """A cache of frames in a folder of at most about `max_bytes`. Frames that nobody asked for the longest go first.

    Attributes:
        counts: how often this process found what it asked for (`hit`), decoded (`miss`), and met a file with
            wrong bytes (`damaged`, also a miss) or could not write one (`unwritable`).
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: float) -> None:
        self._folder, self._max_bytes = Path(folder), max_bytes
        make_writable(self._folder)
        self._lock = threading.Lock()
        self._unweighed = float("inf")  # unknown yet, and even a first file may be one too many
        self.counts: Counter[str] = Counter(hit=0, miss=0, damaged=0, unwritable=0)

    def frames(
        self,
        path: str | os.PathLike[str],
        times: Sequence[float],
        size: tuple[int, int],
        decoder: str = DEFAULT_DECODER,
    ) -> np.ndarray:
        """Works as `decode`, with the same errors. If the cache cannot be written to, it is only slow."""
        name = self._name(Path(path), times, size, decoder)
        frames = self._read(name, (len(times), *size, 3))
        self._count("miss" if frames is None else "hit")
        if frames is None:
            frames = decode(path, times, size, decoder)
            self._write(name, frames)
        return frames

    def _count(self, event: str) -> None:
        with self._lock:
            self.counts[event] += 1
            if event in ("hit", "miss") and (self.counts["hit"] + self.counts["miss"]) % TOLD_EVERY == 0:
                logger.warning("frame cache %s in process %d: %s", self._folder, os.getpid(), dict(self.counts))

    def _name(self, path: Path, times: Sequence[float], size: tuple[int, int], decoder: str) -> Path:
        # Whichever decodes, PyAV tells which frames there are.
        versions = [decoder, av.__version__, {k: list(v) for k, v in av.library_versions.items()}]
        request = json.dumps([self.content_id(path), [repr(float(t)) for t in times], size, versions], sort_keys=True)
        digest = blake2b(request.encode(), digest_size=16).hexdigest()
        return self._folder / digest[:2] / (digest + SUFFIX)

    def content_id(self, path: str | os.PathLike[str]) -> str:
        """Returns the video's content id. Reads the whole file only if the file's own data do not show that it is
        unchanged.
        """
        status = check_file(os.fspath(path))
        state = [os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        note = self._folder / "ids" / blake2b(json.dumps(state).encode(), digest_size=16).hexdigest()
        with suppress(OSError), open(note, "rb") as file:
            noted = file.read(ID_DIGITS + 1)
            if len(noted) == ID_DIGITS and set(noted) <= set(b"0123456789abcdef"):
                return noted.decode()
        found = content_id(path)
        self._store(note, found.encode())
        return found

    def _read(self, name: Path, shape: tuple[int, ...]) -> np.ndarray | None:
        expected = math.prod(shape)
        try:
            with open(name, "rb") as file:
                data = file.read(expected + 5)  # one byte more than expected shows that a file is longer
        except OSError:
            return None
        pixels, checksum = memoryview(data)[:-4], data[-4:]
        if len(pixels) != expected or zlib.crc32(pixels).to_bytes(4, "little") != checksum:
            self._count("damaged")
            logger.warning("frame cache: %s is damaged and is made again", name)
            return None
        with suppress(OSError):
            os.utime(name)  # it was used now, so it goes among the last
        return np.frombuffer(pixels, np.uint8).reshape(shape)

    def _write(self, name: Path, frames: np.ndarray) -> None:
        pixels = np.ascontiguousarray(frames)
        if not self._store(name, pixels.data.cast("B"), zlib.crc32(pixels.data).to_bytes(4, "little")):
            return
        with self._lock:
            self._unweighed += pixels.nbytes
            if self._unweighed < self._max_bytes * WEIGH_EVERY:
                return
            self._unweighed = 0
        self._shrink()

    def _store(self, name: Path, *parts: bytes | memoryview) -> bool:
        """Writes the parts, all or none, and returns whether that was possible."""
        try:
            name.parent.mkdir(exist_ok=True)
            with whole_file(name, flush=False) as partial, open(partial, "wb") as file:
                for part in parts:
                    file.write(part)
            return True
        except OSError as error:
            if not self.counts["unwritable"]:
                logger.warning("frame cache %s cannot be written to, so frames are decoded: %s", self._folder, error)
            self._count("unwritable")
            return False

    def _shrink(self) -> None:
        """Removes the files not used for longest until the folder holds what it may; one process at a time."""
        with self._alone():
            files, total = [], 0
            for file in self._folder.glob("*/*"):
                with suppress(OSError):  # somebody else removed it
                    status = file.stat()
                    if file.suffix == ".partial" and time.time() - status.st_mtime > ABANDONED:
                        file.unlink()
                    elif file.suffix == SUFFIX:
                        files.append((status.st_mtime_ns, status.st_size, file))
                        total += status.st_size
            for _, size, file in sorted(files):
                if total <= self._max_bytes:
                    return
                with suppress(OSError):
                    file.unlink()
                total -= size

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Waits until no other process shrinks the folder: it may have looked before this one's files were there."""
        with (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel drops the lock of a dead process
            yield
