"""Held-out videos are held out: in whatever bytes, from the other split and from other datasets."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_preprocess.build import BuildSettings, build
from data_preprocess.held_out import find_known, known_videos
from data_preprocess.signature_file import NAME, SignedVideo, read_signatures, write_signatures
from videossr_verl.errors import BadInput
from videossr_verl.rows.controls import blind
from videossr_verl.tiny.generated_videos import generate_frames, write_video
from videossr_verl.video.signature import Signature


def scene(number):
    return generate_frames(np.random.default_rng([3, number]), 36, 12)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Four scenes; of the first also a copy without its first half second, of the second one in other bytes."""
    folder = tmp_path_factory.mktemp("look-alikes")
    for i in range(4):
        write_video(folder / f"scene {i}.mp4", scene(i), 12)
    write_video(folder / "another name.mp4", scene(0)[6:], 12)
    write_video(folder / "smaller.mp4", scene(1)[:, 2:110, 2:110], 12)
    return folder


@pytest.fixture(scope="module")
def dataset(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("dataset") / "out"
    build(BuildSettings((str(videos),), str(out), "videossr_tiny", count=24, test_count=24, test_share=0.5))
    return out


def rows_of(dataset):
    return {split: pq.read_table(dataset / f"{split}.parquet").to_pylist() for split in ("train", "test")}


def test_look_alikes_stay_in_one_split_and_are_told(dataset):
    shown = {s: {v["video"] for row in rows for v in row["videos"]} for s, rows in rows_of(dataset).items()}
    assert len(shown["train"] | shown["test"]) == 6
    pairs = [["another name.mp4", "scene 0.mp4"], ["scene 1.mp4", "smaller.mp4"]]
    lines = [json.loads(line) for line in (dataset / "look_alikes.jsonl").read_text().splitlines()]
    assert sorted(line["videos"] for line in lines) == pairs
    assert all(set(line["videos"]) <= shown[line["split"]] for line in lines)
    videos = json.loads((dataset / "dataset.json").read_text())["videos"]
    assert videos["look_alikes"] == {"groups": 2, "videos": 4}
    assert videos["compared_by_bytes_only"] == 0
    assert {one.video: one.split for one in read_signatures(str(dataset))} == {
        video: split for split, names in shown.items() for video in names
    }


def test_a_blind_row_shows_no_look_alike(dataset):
    for rows in rows_of(dataset).values():
        names = {str(row["videos"]): row["extra_info"]["look_alike_id"] for row in rows}
        for row, swapped in zip(rows, blind(rows), strict=True):
            assert names[str(swapped["videos"])] != row["extra_info"]["look_alike_id"]


def test_another_dataset_leaves_them_out(videos, dataset, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(videos / "scene 2.mp4", tmp_path / "more" / "same bytes.mp4")
    write_video(tmp_path / "more" / "trimmed.mp4", scene(3)[5:], 12)
    settings = {"held_out_from": (str(dataset),), "preset": "videossr_tiny", "test_count": 0}
    with pytest.raises(
        BadInput, match=r"2 of 2 videos are shown by another dataset too: 'same bytes.mp4' has the same"
    ):
        build(BuildSettings((str(tmp_path / "more"),), str(tmp_path / "out"), **settings))
    assert not (tmp_path / "out").exists()
    write_video(tmp_path / "more" / "new.mp4", scene(9), 12)
    result = build(BuildSettings((str(tmp_path / "more"),), str(tmp_path / "out"), **settings))
    assert result["videos"]["not_used"] == {"held_out": 2}
    splits = {one.video: one.split for one in read_signatures(str(dataset))}
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert {line["video"]: line["detail"] for line in lines if line["reason"] == "held_out"} == {
        "same bytes.mp4": f"has the same bytes as 'scene 2.mp4', a {splits['scene 2.mp4']} video of 'out'",
        "trimmed.mp4": f"looks like 'scene 3.mp4', a {splits['scene 3.mp4']} video of 'out'",
    }
    assert {v["video"] for row in rows_of(tmp_path / "out")["train"] for v in row["videos"]} == {"new.mp4"}


def test_one_split_alone_is_compared_where_its_file_is_given(dataset):
    both = known_videos([str(dataset)])
    train = known_videos([str(dataset / "train.parquet")])
    assert 0 < len(train) < len(both)
    assert {one.split for _, one in train.values()} == {"train"}
    ours = {f"copy of {c}": one.signature for c, (_, one) in both.items()}
    assert set(find_known(ours, train)) == {f"copy of {c}" for c in train}


def test_a_dataset_that_cannot_be_compared(dataset, tmp_path):
    with pytest.raises(BadInput, match="'nowhere' does not exist or is no dataset; make it with videossr build"):
        list(read_signatures("nowhere"))
    for name in ("dataset.json", "train.parquet", "test.parquet"):
        shutil.copy(dataset / name, tmp_path)
    with pytest.raises(BadInput, match="tells what the videos look like, and cannot be read: build that dataset again"):
        list(read_signatures(str(tmp_path)))
    write_signatures([], tmp_path / NAME)
    with pytest.raises(BadInput, match=r"videos of '.*train.parquet' are not in"):
        list(read_signatures(str(tmp_path / "train.parquet")))
    table = pq.read_table(dataset / NAME)
    pq.write_table(table.replace_schema_metadata({"signature": "older"}), tmp_path / NAME)
    with pytest.raises(BadInput, match=r"signatures of another kind \('older', here 'ImageHash"):
        list(read_signatures(str(tmp_path)))


def test_signatures_come_back_and_are_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0)
    videos, folder = [], tmp_path
    for i, n in enumerate((5, 0, 3)):
        bits = rng.integers(0, 2**64, (n, 2), np.uint64)
        videos.append(SignedVideo(f"{i:016x}", f"{i}.mp4", "train", Signature(np.arange(n, dtype=np.int32), bits)))
    (folder / "dataset.json").write_text("{}")
    write_signatures(videos, folder / NAME)
    for one, again in zip(videos, read_signatures(str(folder)), strict=True):
        assert (one.video_id, one.video, one.split) == (again.video_id, again.video, again.split)
        np.testing.assert_array_equal(one.signature.places, again.signature.places)
        np.testing.assert_array_equal(one.signature.hashes, again.signature.hashes)
    write_signatures(videos[::-1], folder / "again.parquet")
    assert (folder / "again.parquet").read_bytes() == (folder / NAME).read_bytes()
