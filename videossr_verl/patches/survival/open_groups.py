"""The groups that have not ended: a run tells of them while it waits, and knows when it has waited too long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

NOTICE = 120.0  # seconds without an ended group before the run tells what it waits for, and between two such lines
GRACE = 60.0  # seconds beyond the deadline, before a worker counts as hung
SHOWN = 3  # groups in a message
WAITING = "waiting for "  # begins each line that tells what for


class GroupDeadlineError(RuntimeError):
    """The error for a group that has not ended in time."""


@dataclass
class OpenGroups:
    """The groups that the trainer has handed out and that have not ended.

    Attributes:
        deadline: seconds that a group may take.
        since: uid -> when it was handed out, seconds of a clock that only goes forward.
        media: uid -> the files of its prompt.
        quiet_since: when a group ended, or was told of, the last time.
    """

    deadline: float = math.inf
    since: dict[str, float] = field(default_factory=dict)
    media: dict[str, list[str]] = field(default_factory=dict)
    quiet_since: float = 0.0

    def hand_out(self, groups: Mapping[str, list[str]], now: float) -> None:
        """Adds groups: uid -> files of the prompt."""
        if not self.since:
            self.quiet_since = now
        self.since |= dict.fromkeys(groups, now)
        self.media |= groups

    def look(self, running: set[str], now: float) -> str | None:
        """Returns a line that tells what the run waits for, if one is due. `running` are all groups that have not
        ended.

        Raises:
            GroupDeadlineError: a group runs beyond its deadline.
        """
        for uid in self.since.keys() - running:
            del self.since[uid], self.media[uid]
            self.quiet_since = now
        late = [uid for uid, since in self.since.items() if now - since > self.deadline + GRACE]
        if late:
            raise GroupDeadlineError(
                f"{self._text(late, now)}, though data.group_deadline={self.deadline:g}: a rollout worker hangs; the "
                "same command goes on from the last whole checkpoint"
            )
        if not self.since or now - self.quiet_since < NOTICE:
            return None
        self.quiet_since = now
        return f"{WAITING}{self._text(list(self.since), now)}; lost after data.group_deadline={self.deadline:g} s"

    def _text(self, uids: list[str], now: float) -> str:
        uids = sorted(uids, key=self.since.__getitem__)
        files = "; ".join(", ".join(self.media[uid]) or "no media" for uid in uids[:SHOWN])
        more = f" and {len(uids) - SHOWN} more" if len(uids) > SHOWN else ""
        oldest = now - self.since[uids[0]]
        return f"{len(uids)} groups, the oldest for {oldest:.0f} s: {files}{more}"
