"""Controls keep a sample's question and answer, and show something else or less."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_preprocess.controls import main
from videossr_verl.errors import BadInput
from videossr_verl.families import qwen2_5_vl
from videossr_verl.prompt.render import render
from videossr_verl.rows.check import check_rows
from videossr_verl.rows.controls import CONTROLS, blind, one_frame, shuffled, shuffled_frames, single_frame
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.video.specs import ImageSpec, VideoSpec

KEPT = ("prompt", "ability", "reward_model", "extra_info")


@pytest.fixture(scope="module")
def rows(dataset_folder):
    return read_rows(dataset_folder / "train.parquet")


def shown(row, folder):
    """The frames of a row's videos as a model is shown them, uint8 (T, C, H, W), and what it is told of time."""
    videos, images = [VideoSpec.from_row(v) for v in row["videos"]], [ImageSpec.from_row(i) for i in row["images"]]
    made, _ = render(videos, images, folder, qwen2_5_vl.FACTOR)
    return [frames.numpy() for frames, _ in made], [metadata for _, metadata in made]


@pytest.mark.parametrize("control", CONTROLS)
def test_the_command_writes_rows_that_are_good_and_named(dataset_folder, rows, control, tmp_path):
    assert main([control, str(dataset_folder / "train.parquet"), str(tmp_path / "out.parquet")]) is None
    written = read_rows(tmp_path / "out.parquet")
    assert written == CONTROLS[control](rows)
    assert [row["data_source"] for row in written] == [f"{row['data_source']}/{control}" for row in rows]
    assert all(row[key] == own[key] for row, own in zip(written, rows, strict=True) for key in KEPT)


def test_blind_rows_show_the_videos_of_another_sample(rows):
    by_videos = {str(row["videos"]): row for row in rows}
    for row, swapped in zip(rows, blind(rows), strict=True):
        donor = by_videos[str(swapped["videos"])]
        assert donor["data_source"] == row["data_source"]
        assert donor["extra_info"]["video_id"] != row["extra_info"]["video_id"]
        assert donor["reward_model"] != row["reward_model"]


def test_a_single_video_has_no_blind_control(rows):
    with pytest.raises(BadInput, match="has no other sample of its task"):
        blind(rows[:1])


def test_a_single_frame_is_one_of_those_that_the_sample_shows(rows, corpus_folder):
    places = []
    for row, still in zip(rows, single_frame(rows), strict=True):
        (frames, told), (stills, told_still) = shown(row, corpus_folder), shown(still, corpus_folder)
        assert told_still == told
        for video, one in zip(frames, stills, strict=True):
            assert one.shape == video.shape
            assert (one == one[0]).all()
            same = [i for i, frame in enumerate(video) if (frame == one[0]).all()]
            assert same
            places += [same[0] / (len(video) - 1)] if len(video) == 8 else []
    assert min(places) < 0.3  # not always the middle one
    assert max(places) > 0.7


def test_shuffled_frames_are_the_samples_own_in_another_order(rows, corpus_folder):
    for row, mixed in zip(rows, shuffled_frames(rows), strict=True):
        (frames, told), (others, told_mixed) = shown(row, corpus_folder), shown(mixed, corpus_folder)
        assert told_mixed == told
        for video, other, item in zip(frames, others, mixed["videos"], strict=True):
            assert (other == video[item["order"]]).all()
            assert sorted(item["order"]) == list(range(len(video)))
            assert item["order"] != sorted(item["order"])


def test_an_order_hangs_on_the_row_alone(rows):
    for control in (single_frame, shuffled_frames):
        assert control(rows[::-1])[::-1] == control(rows)
    first, second = ([row["videos"][0]["order"] for row in shuffled_frames(some)] for some in (rows, rows[:1] * 2))
    assert second == first[:1] * 2
    assert len({tuple(order) for order in first}) > len(first) // 3  # rows differ


def test_rows_without_the_field_are_shown_as_ever(rows, corpus_folder):
    older = {**rows[0], "videos": [{k: v for k, v in item.items() if k != "order"} for item in rows[0]["videos"]]}
    check_rows([(0, older)], str)
    (frames, _), (same, _) = shown(older, corpus_folder), shown(rows[0], corpus_folder)
    assert all((a == b).all() for a, b in zip(frames, same, strict=True))


def test_a_file_without_the_field_gets_controls(dataset_folder, tmp_path):
    table = pq.read_table(dataset_folder / "test.parquet").to_pylist()
    for row in table:
        for item in row["videos"]:
            del item["order"]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "old.parquet")
    main(["shuffled_frames", str(tmp_path / "old.parquet"), str(tmp_path / "new.parquet")])
    assert all(item["order"] for row in read_rows(tmp_path / "new.parquet") for item in row["videos"])


@given(st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_orders(count, seed):
    once = one_frame(count, np.random.default_rng(seed))
    assert len(once) == count
    assert len(set(once)) == 1
    assert 0 <= once[0] < count
    order = shuffled(count, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert (order == list(range(count))) == (count == 1)


def test_every_frame_is_as_likely_and_every_other_order():
    rng = np.random.default_rng(0)
    frames = np.bincount([one_frame(4, rng)[0] for _ in range(4000)])
    assert frames == pytest.approx([1000] * 4, abs=5 * 27.4)  # 5 standard deviations of a binomial
    orders = [tuple(shuffled(3, rng)) for _ in range(5000)]
    assert [orders.count(order) for order in sorted(set(orders))] == pytest.approx([1000] * 5, abs=5 * 28.3)
