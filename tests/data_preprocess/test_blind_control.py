"""The blind control asks the same questions over other videos."""

import pyarrow.parquet as pq
import pytest

from data_preprocess.blind_control import main, swap_videos
from videossr_verl.errors import BadInput


def test_questions_stay_and_videos_are_others(dataset_folder, tmp_path):
    assert main([str(dataset_folder / "train.parquet"), str(tmp_path / "blind.parquet")]) is None
    rows = pq.read_table(dataset_folder / "train.parquet").to_pylist()
    blind = pq.read_table(tmp_path / "blind.parquet").to_pylist()
    assert len(blind) == len(rows)
    by_videos = {str(row["videos"]): row for row in rows}
    for row, swapped in zip(rows, blind, strict=True):
        assert swapped["data_source"] == row["data_source"] + "/blind"
        assert swapped["prompt"] == row["prompt"]
        assert swapped["reward_model"] == row["reward_model"]
        donor = by_videos[str(swapped["videos"])]
        assert donor["data_source"] == row["data_source"]
        assert donor["extra_info"]["video_id"] != row["extra_info"]["video_id"]
        assert donor["reward_model"] != row["reward_model"]


def test_a_single_video_is_refused(dataset_folder):
    rows = pq.read_table(dataset_folder / "train.parquet").to_pylist()
    with pytest.raises(BadInput, match="has no other sample of its task"):
        swap_videos(rows[:1])
