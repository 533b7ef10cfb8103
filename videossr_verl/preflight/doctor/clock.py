"""Measures how far another machine's clock is from this one's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videossr_verl.preflight.doctor.findings import Finding, ok, warning

CLOCK_SECONDS = 2.0  # logs and lock files still bear this much difference


@dataclass(frozen=True)
class Reading:
    """One look at another clock, in seconds since 1970.

    Attributes:
        sent: when it was asked, by this machine's clock.
        there: its answer.
        received: when the answer came, by this machine's clock.
    """

    sent: float
    there: float
    received: float

    @property
    def ahead(self) -> float:
        """Seconds that the other clock is ahead. This is wrong by at most `doubt`, since the answer was made at some
        time on the way.
        """
        return self.there - (self.sent + self.received) / 2

    @property
    def doubt(self) -> float:
        """Half the time of the way there and back, seconds."""
        return (self.received - self.sent) / 2


def clock_finding(readings: Sequence[Reading]) -> Finding:
    """Judges by the fastest of one or more readings. If even that is too slow to tell, warns."""
    best = min(readings, key=lambda reading: reading.doubt)
    if abs(best.ahead) + best.doubt <= CLOCK_SECONDS:
        return ok("clock", f"within {CLOCK_SECONDS:.0f} s of this machine's")
    side = "ahead of" if best.ahead > 0 else "behind"
    found = f"{abs(best.ahead):.1f} s {side} this machine's, give or take {best.doubt:.1f} s"
    return warning("clock", found, "run chrony or ntpd on every node; if the node was slow to answer, ask again")
