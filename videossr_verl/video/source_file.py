"""A video file as the decoders read it: what the machine fails to read is never taken for the file's content.

FFmpeg's demuxers take most read errors for the end of the file, so that a video would be shown without its rest, or be
called damaged. All reading goes through `SourceFile` instead, which remembers the error and raises it afterwards.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from videossr_verl.errors import MachineError
from videossr_verl.video.rejected import RejectReason, VideoRejected

# Errors that a file's name, kind or permissions cause. They stay until somebody changes these.
OWN_ERRORS = {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG}
MISSING = {errno.ENOENT, errno.ENOTDIR}


class SourceFile:
    """The file at `path`, for `av.open`. After an error it gives nothing more, and the end of the `with` block raises
    the error.

    Args:
        seconds: after which reading is given up.

    Raises:
        MachineError: when a read failed, or the file changed meanwhile.
        VideoRejected: timeout; and from the start as `opening`.
    """

    def __init__(self, path: str, seconds: float = math.inf) -> None:
        self.name = path  # FFmpeg looks at the suffix
        self._failure: Exception | None = None
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        with opening(path):
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed by `__exit__`)
            self._state = self._stat()

    def _stat(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def read(self, count: int) -> bytes:
        """Returns up to `count` bytes, and none at the end or after an error."""
        if self._failure is not None:
            return b""
        try:
            data = self._file.read(count)
            if not data and self._file.tell() < self._state[0]:
                self._failure = _changed(self.name)
        except (OSError, MemoryError) as error:
            self._failure = machine_error(self.name, error)
        if time.monotonic() > self._deadline:
            message = f"{self.name} is not read or decoded after {self._seconds:.0f} s"
            self._failure = VideoRejected(RejectReason.TIMEOUT, message)
        return b"" if self._failure is not None else data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves there and returns the new place, or -1 if a damaged file names none that exists."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOVERFLOW):
                self._failure = machine_error(self.name, error)
            return -1

    @property
    def size(self) -> int:
        """Bytes."""
        return self._state[0]

    def tell(self) -> int:
        """Returns the place of the next byte."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._failure is None and self._stat() != self._state:
            self._failure = _changed(self.name)
        self._file.close()
        if self._failure is not None and (error is None or isinstance(error, Exception)):
            raise self._failure


def read_all(path: str, block: int = 1 << 20) -> Iterator[bytes]:
    """Yields the file's content in blocks. Raises MachineError if it cannot be read to its end, or changes
    meanwhile.
    """
    with SourceFile(path) as file:
        while chunk := file.read(block):
            yield chunk


@contextmanager
def opening(path: str) -> Iterator[None]:
    """Wraps whatever opens the file, or asks for its status.

    Raises:
        VideoRejected: missing; unreadable: forbidden, or no name that a file can have.
        MachineError: for all other errors of the operating system.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, VideoRejected):
            raise
        number = getattr(error, "errno", None)
        if number in MISSING:
            raise VideoRejected(RejectReason.MISSING, f"{path} does not exist") from error
        if number in OWN_ERRORS or not isinstance(error, OSError):  # a null character is a ValueError
            raise VideoRejected(RejectReason.UNREADABLE, f"{path} cannot be read: {error}") from error
        raise machine_error(path, error) from error


def machine_error(path: str, error: BaseException) -> MachineError:
    """Returns the MachineError for an error of the operating system at `path`."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return MachineError(f"{path} cannot be read now: {reason}; the video is not judged")


def _changed(path: str) -> MachineError:
    return MachineError(f"{path} changed while it was read; the video is not judged")
