"""Decides when to believe the outcome of a job: a result at once, a failure when a second try has it too, and an error
of the machine never.

So the verdict on a video depends on its bytes alone, whatever happened to a worker that read them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Generic

from data_preprocess.jobs import Job
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.files.retry import PAUSES
from videossr_verl.video.probe_record import Failure

TRIES = len(PAUSES) + 2  # how often one job is tried
MOST_TROUBLES = 5  # after the machine has failed at so many jobs, no other one is tried


@dataclass
class Trial(Generic[Job]):
    """A job, with the outcomes of its tries so far."""

    job: Job
    failures: list[str] = field(default_factory=list)
    machine_errors: int = 0

    def ends_with(self, outcome: object) -> bool:
        """Returns whether to believe the outcome. If not, pauses, and the caller must try the job again.

        Raises:
            BadInput: it is the outcome: no other job can end well either.
            MachineError: there were enough tries.
        """
        if isinstance(outcome, BadInput):
            raise outcome
        if not isinstance(outcome, Failure | MachineError):
            return True
        if isinstance(outcome, Failure):
            if outcome.reason in self.failures:
                return True
            self.failures.append(outcome.reason)
            last = MachineError(f"{outcome.detail}: each try ended in another way ({', '.join(self.failures)})")
        else:
            self.machine_errors += 1
            last = outcome
        if len(self.failures) + self.machine_errors == TRIES:
            raise last
        if isinstance(outcome, MachineError):
            time.sleep(PAUSES[min(self.machine_errors, len(PAUSES)) - 1])
        return False


class Troubles:
    """The jobs of one run that the machine failed at. The others go on, so that little is left for the next run."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def add(self, error: MachineError) -> None:
        """Raises MachineError for all of them, if they are too many."""
        self._told.append(str(error))
        if len(self._told) == MOST_TROUBLES:
            self.tell()

    def tell(self) -> None:
        """Raises MachineError for all of them, if there are any."""
        if self._told:
            raise MachineError(
                f"{'; '.join(self._told)}; nothing of this is stored, and the same command goes on later"
            )
