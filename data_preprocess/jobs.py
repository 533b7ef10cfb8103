"""What the stages of a build hand to workers, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from videossr_verl.video.probe_record import Failure

Job = TypeVar("Job", bound=tuple)  # the arguments of a function
Result = TypeVar("Result")


class VideoFile(NamedTuple):
    """A video of the corpus: where the file is on this machine, and its path in the rows."""

    path: str
    video: str


class Run(Protocol):
    """`run_isolated` or `run_on_ray`, with their settings."""

    def __call__(self, function: Callable[..., Result], jobs: Iterator[Job]) -> Iterator[tuple[Job, Result | Failure]]:
        """(job, function(*job)) in the order of completion, or (job, Failure)."""
        ...
