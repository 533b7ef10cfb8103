"""Draws one fresh row from the video of a stored row, as a build would have drawn it, at another difficulty."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, wraps
from typing import ParamSpec

from videossr_verl.errors import MachineError
from videossr_verl.files.retry import retried
from videossr_verl.prompt.render import resolve_path
from videossr_verl.rows.schema import Row, make_row
from videossr_verl.tasks.draw import DrawSettings, Lender, draw_samples
from videossr_verl.tasks.seeds import digest
from videossr_verl.video.probe_record import Failure, ProbeRecord, probe_one
from videossr_verl.video.specs import VideoSpec

logger = logging.getLogger(__name__)

_Args = ParamSpec("_Args")
TRIES = 3  # because not every draw finds a change that shows
_PROBES_KEPT = 256  # a probe holds a time for each frame of its video


def _patient(draw: Callable[_Args, Row | None]) -> Callable[_Args, Row | None]:
    """Calls `draw`, and again while the machine fails. Returns None, with a warning, if it goes on failing."""

    @wraps(draw)
    def patient(*args: _Args.args, **kwargs: _Args.kwargs) -> Row | None:
        try:
            return retried(draw, *args, **kwargs)
        except MachineError as error:
            logger.warning("no row is drawn, the stored one is used: %s", error)
            return None

    return patient


@_patient
def draw_row(
    stored: Row,
    partner: str | None,
    subset: str,
    preset: str,
    settings: DrawSettings,
    data_root: str,
    number: int,
) -> Row | None:
    """Draws a row of `subset` from the video of `stored`, by its decoder, with its index.

    Returns None if the video cannot carry the subset, or cannot be read now.

    Args:
        partner: another video, for changes that borrow frames.
        subset: one of `settings.subsets`.
        preset: name that the row tells.
        settings: `seed` is the run's; the sample depends on it, on the video, on the subset and on `number`.
        data_root: folder that the rows' paths are relative to.
        number: of the draw; every draw has its own.
    """
    video, extra = stored["videos"][0]["video"], stored["extra_info"]
    record = _probe(str(resolve_path(video, data_root)), video)
    if isinstance(record, Failure):
        return None
    chosen = settings.subsets[subset]
    clip = replace(chosen.clip, decoder=VideoSpec.from_row(stored["videos"][0]).decoder)
    settings = replace(settings, subsets={subset: replace(chosen, clip=clip)})
    other = _probe(str(resolve_path(partner, data_root)), partner) if partner else None
    lender = Lender(partner, other) if partner and other and not isinstance(other, Failure) else None
    for attempt in range(TRIES):
        seed = int(digest("online", settings.seed, number, attempt)[:16], 16) >> 1
        path = str(resolve_path(video, data_root))
        drawn = draw_samples(path, video, record, replace(settings, seed=seed), {subset: 1}, lender)
        if isinstance(drawn, Failure):
            return None
        if "cannot" not in (sample := drawn[subset][0]):
            ids = (record["content_id"], extra["look_alike_id"])
            return make_row(subset, *ids, sample, extra["index"], extra["split"], preset)
    return None


@lru_cache(_PROBES_KEPT)
def _probe(path: str, video: str) -> ProbeRecord | Failure:
    return probe_one(path, video)
