"""The reasons why a video is not used. They are a fixed set, so that reports can count them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from av.error import FFmpegError

from videossr_verl.errors import BadInput, MachineError
from videossr_verl.printable import printable, shortened
from videossr_verl.video.memory import memory_is_left

LONGEST = 1000  # characters of a message


class RejectReason(StrEnum):
    """The reasons, in the order in which they are checked."""

    BAD_ROW = "bad_row"
    OUTSIDE_DATA_ROOT = "outside_data_root"
    MISSING = "missing"
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "unreadable"
    EMPTY_FILE = "empty_file"
    REPLACED = "replaced"
    NOT_A_VIDEO = "not_a_video"
    NO_VIDEO_STREAM = "no_video_stream"
    TOO_LARGE = "too_large"
    NO_FRAMES = "no_frames"
    NO_TIMESTAMPS = "no_timestamps"
    UNDECODABLE = "undecodable"
    TIMEOUT = "timeout"
    EXTREME_SHAPE = "extreme_shape"
    TOO_SHORT = "too_short"
    TOO_FEW_FRAMES = "too_few_frames"


class VideoRejected(ValueError):
    """The error for a video that cannot be used.

    Attributes:
        reason: one of the fixed set.
        detail: one sentence with the file and what is wrong with it.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(reason, detail)  # both are args, so that the error survives pickling between workers
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        """Returns one printable line of bounded length. Names of files may hold anything, even a terminal's
        commands.
        """
        return f"{printable(shortened(self.detail, LONGEST))} [{self.reason.value}]"


class DecoderError(BadInput):
    """The error for a media library without the interface that this package calls. No video is at fault."""


@contextmanager
def rejecting(reason: RejectReason, detail: str) -> Iterator[None]:
    """Turns any error of the body into VideoRejected. Use it around work on a row's own data.

    Raises:
        MachineError: for errors of the operating system (those of FFmpeg with the same names tell of the file), and
            for want of memory.
    """
    try:
        yield
    except (VideoRejected, BadInput, MachineError):
        raise
    except Exception as error:
        by_system = isinstance(error, OSError) and not isinstance(error, FFmpegError)
        if by_system or (isinstance(error, MemoryError) and not memory_is_left()):
            raise MachineError(f"{detail}, for a reason of this machine: {error or type(error).__name__}") from error
        raise VideoRejected(reason, f"{detail}: {error}") from error


@contextmanager
def reading(reason: RejectReason, detail: str) -> Iterator[None]:
    """Works as `rejecting`, around a media library, which raises many types of error on damaged files.

    Raises:
        DecoderError: for errors that no content of a file causes.
    """
    with rejecting(reason, detail):
        try:
            yield
        except (AttributeError, ImportError, NameError, NotImplementedError, TypeError) as error:
            raise DecoderError(
                f"the decoder does not work as expected ({type(error).__name__}: {error}), so no video is judged: "
                "install the versions in constraints/ of av and decord"
            ) from error
