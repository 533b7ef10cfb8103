import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_preprocess.build import BuildSettings, build
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import VideoRejected, probe
from videossr_verl.video.specs import VideoSpec
from videossr_verl.video.timelines import NO_TIME, find_timelines, join_timelines

CLOSED = {"bf": "2", "g": "12", "x264-params": "scenecut=0"}
MPEG2 = {"codec": "mpeg2video", "options": {"bf": "2"}}
# What FFmpeg does not give, so no player shows: the packet at a seam of MPEG-TS, the fragment at one of MP4.
LOST = {"h264.ts": 1, "mpeg2.ts": 1, "fragments.mp4": 12}
# File name -> how its parts are written, frames each.
JOINED = {
    "h264.ts": ({"options": CLOSED}, [40, 40]),
    "mpeg2.ts": (MPEG2, [40, 40]),
    "mpeg2.mpg": (MPEG2, [40, 40]),
    "dvd.vob": (MPEG2, [40, 40]),
    "h264.mkv": ({"options": CLOSED}, [40, 40]),
    "three.mpg": (MPEG2, [40, 30, 20]),
    "vp9.webm": ({"codec": "libvpx-vp9", "options": {"g": "12", "cpu-used": "8"}}, [40, 40]),
    "fragments.mp4": (
        {"options": CLOSED, "container_options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
        [40, 40],
    ),
}


@pytest.fixture(scope="module")
def joined(tmp_path_factory, make_video):
    """Recordings joined by `cat`: each begins at the same time, and frame k of all shows the number k."""
    folder, parts = tmp_path_factory.mktemp("joined"), tmp_path_factory.mktemp("parts")
    paths = {}
    for name, (how, counts) in JOINED.items():
        first = [0, *itertools.accumulate(counts)]
        written = [
            make_video(parts / f"{i}_{name}", count, first=start, size=(96, 128), **how)
            for i, (count, start) in enumerate(zip(counts, first, strict=False))
        ]
        paths[name] = folder / name
        paths[name].write_bytes(b"".join(path.read_bytes() for path in written))
    return paths


def test_joined_recordings_are_shown_one_after_the_other(joined, read_number):
    for name, path in joined.items():
        info, total = probe(path), sum(JOINED[name][1])
        numbers = [read_number(frame) for frame in decode(path, info.pts, (96, 128))]
        assert numbers == sorted(set(numbers)), name
        assert len(numbers) == total - LOST.get(name, 0), name
        assert info.duration == pytest.approx(len(numbers) / 25, abs=0.1), name
        for seed in range(10):
            asked = sorted(random.Random(seed).sample(range(len(numbers)), 8))
            alone = decode(path, [info.pts[k] for k in asked], (96, 128))
            assert [read_number(frame) for frame in alone] == [numbers[k] for k in asked], (name, asked)


def test_labels_of_joined_recordings_are_true(joined, read_number, tmp_path):
    pytest.importorskip("torch")
    from videossr_verl.prompt.render import render  # tests/newest_av.sh has no torch

    root = str(next(iter(joined.values())).parent)
    sources = tuple(str(joined[name]) for name in ("h264.ts", "mpeg2.mpg", "h264.mkv"))
    mix = {"temporal_jigsaw": 12.0}
    settings = BuildSettings(sources, str(tmp_path / "out"), "videossr_tiny", mix=mix, test_count=0, workers=1)
    build(settings)
    rows = read_rows(tmp_path / "out" / "train.parquet")
    for row in rows:
        clips, _ = render([VideoSpec.from_row(video) for video in row["videos"]], [], root, 28)
        ordered = [clips[int(digit) - 1][0] for digit in row["reward_model"]["ground_truth"]]
        numbers = [read_number(frame.permute(1, 2, 0).numpy()) for clip in ordered for frame in clip]
        assert numbers == sorted(numbers), row["videos"][0]["video"]
    assert len(rows) == 12


def test_a_later_clock_goes_on_without_a_pause_in_mpeg_streams_only(tmp_path, make_video, read_number):
    late = [1000 * 3600 + 40 * k for k in range(20)]
    parts = [
        make_video(tmp_path / "a.ts", 20, options={"bf": "0"}),
        make_video(tmp_path / "b.ts", 20, options={"bf": "0"}, first=20, ticks=late),
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    info = probe(path)
    assert info.duration == pytest.approx(1.6, abs=0.1)
    numbers = [read_number(frame) for frame in decode(path, info.pts, (48, 64))]
    assert numbers == sorted(set(numbers))
    slides = make_video(tmp_path / "slides.mkv", 3, ticks=[0, 40, 60_000])
    assert probe(slides).pts == (0, 0.04, 60)


def test_decord_refuses_times_that_start_again(joined):
    pytest.importorskip("decord")
    info = probe(joined["h264.mkv"])
    with pytest.raises(VideoRejected, match="finds frames by their times, which start again"):
        decode(joined["h264.mkv"], info.pts[:2], (48, 64), "decord")


def decoding_order(count, reorder):
    """Presentation numbers 0 .. count - 1 as an encoder stores them: each key frame first, B-frames after their P."""
    order = []
    for start in range(0, count, reorder + 1):
        group = list(range(start, min(start + reorder + 1, count)))
        order += [group[-1], *group[:-1]]
    return order


@given(
    lengths=st.lists(st.integers(18, 60), min_size=1, max_size=4),
    reorder=st.integers(0, 3),
    zero=st.integers(-(10**9), 10**9),
    step=st.integers(1, 5000),
    untimed=st.booleans(),
)
def test_every_part_follows_the_one_before(lengths, reorder, zero, step, untimed):
    stored, key, truth = [], [], []
    for length in lengths:
        order = decoding_order(length, reorder)
        truth += [len(stored) + number for number in order]
        stored += [zero + step * number for number in order]
        key += [True] + [False] * (length - 1)
    times, key, shown = np.array(stored), np.array(key), np.ones(len(stored), bool)
    if untimed:  # packets without a time of their own belong to no part
        times, key, shown = np.append(times, NO_TIME), np.append(key, True), np.append(shown, True)
    starts = find_timelines(times, shown, key, float("inf"))
    assert starts == [0, *itertools.accumulate(lengths[:-1])]
    joined = join_timelines(times, shown, np.full(len(times), step), starts)
    np.testing.assert_array_equal(joined[: len(stored)], zero + step * np.array(truth))
    assert (joined[len(stored) :] == NO_TIME).all()


@given(st.lists(st.integers(-(2**40), 2**40) | st.just(NO_TIME), min_size=1, max_size=80), st.data())
def test_whatever_is_stored_parts_never_overlap(stored, data):
    flags = st.lists(st.booleans(), min_size=len(stored), max_size=len(stored))
    times, shown, key = np.array(stored), np.array(data.draw(flags)), np.array(data.draw(flags))
    starts = find_timelines(times, shown, key, float("inf"))
    joined = join_timelines(times, shown, np.zeros(len(times), int), starts)
    ends = [part[part != NO_TIME] for part in np.split(np.where(shown, joined, NO_TIME), starts[1:])]
    ends = [part for part in ends if len(part)]
    assert all(a.max() < b.min() for a, b in itertools.pairwise(ends))


def test_a_clock_set_back_within_a_group_begins_anew():
    times = np.concatenate([np.arange(100), np.arange(50, 100)])
    key = np.arange(150) == 0
    shown = np.ones(150, bool)
    starts = find_timelines(times, shown, key, float("inf"))
    assert starts == [0, 100]
    assert join_timelines(times, shown, np.ones(150, int), starts).tolist() == list(range(150))
