"""Controls of a data set: its own questions and answers, shown in a way in which they should not be answerable.

blind            another sample's videos and images: what guessing earns
single_frame     of each video one frame, drawn at random, in all its places: what one moment tells
shuffled_frames  the frames of each video in a random order: what the frames tell without their order

What a model earns on a control it has not earned by seeing what the control takes away. A control's rows have the data
source "videossr/<subset>/<control>", so that evaluation and validation report them beside the real ones. Frames are
chosen as they are shown, after the task's change; the clock and the images of a prompt stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from videossr_verl.errors import BadInput
from videossr_verl.rows.schema import Row
from videossr_verl.tasks.seeds import digest, rng
from videossr_verl.video.specs import VideoItem


def blind(rows: Sequence[Row]) -> list[Row]:
    """Returns each row with the videos and images of another row of its subset. The other row shows no look-alike, has
    another answer, and as many videos and images.

    Takes the next row of the subset (cyclically) that qualifies, so it is deterministic. Raises BadInput if there is
    none.
    """
    swapped: list[Row] = []
    for i, row in enumerate(rows):
        others = [*rows[i + 1 :], *rows[:i]]
        donor = next((other for other in others if _qualifies(row, other)), None)
        if donor is None:
            raise BadInput(
                f"row {i} ({row['data_source']}) has no other sample of its task with another answer and a video that "
                "looks different: build more test samples or from more videos"
            )
        swapped.append({**_named(row, "blind"), "videos": donor["videos"], "images": donor["images"]})
    return swapped


def single_frame(rows: Sequence[Row]) -> list[Row]:
    """Returns each row with one frame of each of its videos in all T places."""
    return [_ordered(row, "single_frame", one_frame) for row in rows]


def shuffled_frames(rows: Sequence[Row]) -> list[Row]:
    """Returns each row with the frames of each of its videos in another order."""
    return [_ordered(row, "shuffled_frames", shuffled) for row in rows]


CONTROLS: dict[str, Callable[[Sequence[Row]], list[Row]]] = {
    "blind": blind,
    "single_frame": single_frame,
    "shuffled_frames": shuffled_frames,
}


def one_frame(count: int, rng: np.random.Generator) -> list[int]:
    """Returns the number of one of `count` frames, `count` times; each is as likely."""
    return [int(rng.integers(count))] * count


def shuffled(count: int, rng: np.random.Generator) -> list[int]:
    """Returns the numbers of `count` frames in a random order other than the given one. A single frame has no other."""
    order = list(range(count))
    while count > 1 and order == sorted(order):
        order = rng.permutation(count).tolist()
    return order


def _ordered(row: Row, control: str, order: Callable[[int, np.random.Generator], list[int]]) -> Row:
    """Draws the order of each video from what names the row, wherever it stands in a file."""
    extra = row["extra_info"]
    seed = int(digest(control, row["data_source"], extra["video_id"], extra["seed"], extra["index"])[:16], 16)
    own = rng(seed)
    videos: list[VideoItem] = [{**video, "order": order(len(video["times"]), own)} for video in row["videos"]]
    return {**_named(row, control), "videos": videos}


def _named(row: Row, control: str) -> Row:
    return {**row, "data_source": f"{row['data_source']}/{control}"}


def _qualifies(row: Row, other: Row) -> bool:
    return (
        other["data_source"] == row["data_source"]
        and other["extra_info"]["look_alike_id"] != row["extra_info"]["look_alike_id"]
        and other["reward_model"]["ground_truth"] != row["reward_model"]["ground_truth"]
        and len(other["videos"]) == len(row["videos"])
        and len(other["images"]) == len(row["images"])
    )
