"""The blind control: the same questions and answers, with another sample's videos.

A model that only guesses well scores the same on it as on the real test set, so the lead over it is what the model
sees. Rows get the data source "videossr/<task>/blind", so that validation reports them beside the real ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data_preprocess.write_dataset import write_parquet
from videossr_verl.endings import end_well
from videossr_verl.errors import BadInput
from videossr_verl.files.whole_file import whole_file
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.rows.schema import Row


def swap_videos(rows: list[Row]) -> list[Row]:
    """Returns each row with the videos and images of another row of its task. The other row shows no look-alike, has
    another answer, and as many videos.

    Takes the next row of the task (cyclically) that qualifies, so it is deterministic. Raises BadInput if there is
    none.
    """
    swapped = []
    for i, row in enumerate(rows):
        others = rows[i + 1 :] + rows[:i]
        donor = next((other for other in others if _qualifies(row, other)), None)
        if donor is None:
            raise BadInput(
                f"row {i} ({row['data_source']}) has no other sample of its task with another answer and a video that "
                "looks different: build more test samples or from more videos"
            )
        media = {"videos": donor["videos"], "images": donor["images"]}
        swapped.append({**row, "data_source": row["data_source"] + "/blind", **media})
    return swapped


def _qualifies(row: Row, other: Row) -> bool:
    return (
        other["data_source"] == row["data_source"]
        and other["extra_info"]["look_alike_id"] != row["extra_info"]["look_alike_id"]
        and other["reward_model"]["ground_truth"] != row["reward_model"]["ground_truth"]
        and len(other["videos"]) == len(row["videos"])
        and len(other["images"]) == len(row["images"])
    )


def write_blind_control(test: Path, out: Path) -> None:
    """Writes the blind control of a `test.parquet` to `out`."""
    with whole_file(out) as partial:
        write_parquet(swap_videos(read_rows(test)), partial)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line of `write_blind_control`."""
    parser = argparse.ArgumentParser(description="Writes the blind control of a test set.")
    parser.add_argument("test", type=Path, help="test.parquet of `videossr build`")
    parser.add_argument("out", type=Path, help="parquet file to write")
    args = parser.parse_args(argv)
    write_blind_control(args.test, args.out)


if __name__ == "__main__":
    sys.exit(end_well(main))
