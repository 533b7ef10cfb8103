"""Damage is found where the codec can tell, and does not reach further than references do."""

import av
import campaign_damaged_videos
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.video import decode as module
from videossr_verl.video.damage import Soundness
from videossr_verl.video.decode import decode, decode_possible
from videossr_verl.video.frame_index import frame_index

CLOSED = {"g": "12", "bf": "0", "x264-params": "scenecut=0"}


def damaged_at(path, video, packets):
    """A copy of `video` in which these packets, by their places in decoding order, hold no coded picture."""
    with av.open(str(video)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(video.read_bytes())
    for packet in packets:
        at, size = places[packet]
        content[at : at + size] = bytes([255]) * size
    path.write_bytes(content)
    return path


def test_damage_reaches_to_the_next_key_frame(kinds, make_video, tmp_path, read_number):
    whole = make_video(tmp_path / "whole.mp4", 60, size=(96, 128), options=CLOSED)
    path = damaged_at(tmp_path / "damaged.mp4", whole, [28])
    index = frame_index(str(path))
    assert np.flatnonzero(index.key).tolist() == [0, 12, 24, 36, 48]
    frames, missing = decode_possible(path, index.times, (96, 128))
    assert np.flatnonzero(missing).tolist() == list(range(28, 36))
    assert all(read_number(frames[k]) == k for k in np.flatnonzero(~missing))
    for asked in ([30], [27, 29], [10, 35, 50]):
        _, some = decode_possible(path, index.times[asked], (96, 128))
        assert some.tolist() == [28 <= k < 36 for k in asked]


def test_where_the_fast_path_meets_damage_the_whole_file_decides(make_video, tmp_path, monkeypatch):
    whole = make_video(tmp_path / "whole.mp4", 60, size=(96, 128), options=CLOSED)
    path, passes = damaged_at(tmp_path / "damaged.mp4", whole, [28]), []
    original = module._decode_ranges
    monkeypatch.setattr(module, "_decode_ranges", lambda *a: passes.append(a[2]) or original(*a))
    times = frame_index(str(path)).times
    decode(path, times[[26, 50]], (96, 128))
    assert len(passes) == 1
    decode_possible(path, times[[30, 50]], (96, 128))
    assert passes[-1] == [(0, 0, 59)]


def test_clips_of_damaged_videos(tmp_path):
    """Some flipped bits in H.264 decode into other pictures without an error; nothing tells of them."""
    outcomes = list(campaign_damaged_videos.run(tmp_path, 100, seed=1))
    wrong = [what for what, survived in outcomes if not survived]
    assert len(outcomes) == 100
    assert len(wrong) <= 20
    assert [what for what in wrong if what.startswith(("mpeg4", "mpeg2"))] == []
    assert 20 <= sum("frames wrong" in what for what, _ in outcomes) <= 60  # some are whole, most are not


class Frame:
    """What `Soundness.see` looks at."""

    def __init__(self, whole):
        self.is_corrupt, self.key_frame = False, whole
        self.pict_type = av.video.frame.PictureType.I if whole else av.video.frame.PictureType.P


@given(st.integers(1, 5), st.integers(2, 12), st.sets(st.integers(0, 59), max_size=6))
def test_a_frame_holds_if_no_damage_stands_between_it_and_its_key_frame(groups, length, damaged):
    count = groups * length
    soundness = Soundness(np.arange(count))
    for position in range(count):
        if position in damaged:
            soundness.damage(position)
        elif position % length == 0:
            soundness.see(Frame(True), position, is_key=True, starts=False)
    for position in range(count):
        group = range(position - position % length, position + 1)
        assert soundness.holds(position) == damaged.isdisjoint(group)
    assert soundness.intact == (not {d for d in damaged if d < count})


@pytest.mark.parametrize(("whole", "intact"), [(True, True), (False, False)])
def test_a_range_must_begin_with_a_whole_picture(whole, intact):
    soundness = Soundness(np.arange(9))
    soundness.see(Frame(whole), 3, is_key=True, starts=True)
    assert soundness.intact == intact
