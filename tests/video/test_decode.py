import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from videossr_verl.video import decode as module
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_index import frame_index
from videossr_verl.video.probe import VideoRejected, probe

# What decord misreads: these containers, and turned pictures whose width is no multiple of 32.
NOT_FOR_DECORD = (".ts", ".avi", ".mpg", ".flv", ".gif", "turned_90.mp4")


def picks(count):
    """Ways to ask for frames of a video of `count` frames: dense, sparse, one, random, again, backwards."""
    rng = np.random.default_rng(1)
    middle = count // 2
    yield list(range(count))
    yield list(range(0, count, 7))
    yield [middle]
    yield rng.integers(0, count, 12).tolist()
    yield [middle, middle, 0, middle]
    yield [count - 1, 0]
    yield [min(max(k, 0), count - 1) for k in range(middle + 10, middle - 3, -1)]


def check_every_pick(path, name, backend, read_number):
    info = probe(path)
    for pick in picks(len(info.pts)):
        frames = decode(path, [info.pts[k] for k in pick], (info.height, info.width), backend)
        assert [read_number(f) for f in frames] == pick, (name, backend, pick)


def test_every_asked_frame_of_every_kind_is_the_right_one(kinds, read_number):
    for name, path in kinds.items():
        check_every_pick(path, name, "pyav", read_number)


def test_decord_gives_the_same_frames(kinds, read_number):
    pytest.importorskip("decord")
    for name in (n for n in kinds if not n.endswith(NOT_FOR_DECORD)):
        check_every_pick(kinds[name], name, "decord", read_number)


@pytest.mark.parametrize("name", ["turned_90.mp4", "h264.avi", "open_gops.ts"])
def test_decord_refuses_what_it_would_misread(kinds, name):
    pytest.importorskip("decord")
    info = probe(kinds[name])
    with pytest.raises(VideoRejected, match="use the decoder 'pyav'"):
        decode(kinds[name], info.pts[:2], (info.height, info.width), "decord")


@pytest.mark.parametrize("name", ["bikes", "carphone_pristine"])
def test_skipping_changes_no_pixel(real_clips, name):
    path, size = real_clips[name], (96, 160)
    info = probe(path)
    all_frames = decode(path, info.pts, size)
    for step in (5, 17):
        np.testing.assert_array_equal(decode(path, info.pts[::step], size), all_frames[::step])


def test_only_the_needed_packets_are_decoded(kinds):
    index = frame_index(str(kinds["closed_gops.mp4"]))
    (start, _, end), *rest = module._ranges(index, [50])
    assert start == 48
    assert end <= 52
    assert not rest
    far_apart = module._ranges(index, [2, 50, 51, 90])
    assert [part.first for part in far_apart] == [part.key for part in far_apart] == [0, 48, 84]
    open_index = frame_index(str(kinds["open_gops.mp4"]))
    leading = next(k for k in range(50, 100) if _is_leading(open_index, k))
    (start, key, end), *rest = module._ranges(open_index, [leading])
    assert open_index.key[start]
    assert np.count_nonzero(open_index.key[key : end + 1]) == 2
    assert np.count_nonzero(open_index.key[start:key]) == 1
    assert not rest


def _is_leading(index, number):
    """Whether frame `number` is shown before the key frame after which it is stored."""
    packet = int(np.flatnonzero(index.pts == index.ticks[number])[0])
    return index.pts[np.flatnonzero(index.key[: packet + 1])[-1]] > index.pts[packet]


def test_the_first_pass_is_enough_for_sound_files(kinds, monkeypatch):
    passes = []
    original = module._decode_ranges
    monkeypatch.setattr(module, "_decode_ranges", lambda *a: passes.append(a) or original(*a))
    for name in ("b_frames.mp4", "open_gops.mp4", "open_gops.ts", "uneven.mkv", "hevc.mp4", "vp9.webm"):
        passes.clear()
        info = probe(kinds[name])
        decode(kinds[name], info.pts[30:50:7], (48, 64))
        assert len(passes) == 1, name


def test_nearest_frame_is_taken(kinds, read_number):
    frames = decode(kinds["b_frames.mp4"], [0.019, 0.021, 0.121, 99.0, -3.0], (48, 64))
    assert [read_number(f) for f in frames] == [0, 1, 3, 49, 0]


def test_downscale_averages_every_source_pixel(tmp_path):
    checks = np.indices((256, 256)).sum(0) % 2 * 255
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height = stream.width = 256
        stream.pix_fmt = "gray"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(checks.astype(np.uint8), format="gray")))
        container.mux(stream.encode(None))
    small = decode(tmp_path / "v.mkv", [0], (32, 32))
    assert small.shape == (1, 32, 32, 3)
    assert small.dtype == np.uint8
    assert np.abs(small.astype(int) - 127).max() <= 2  # nearest or bilinear sampling would give stripes


def test_colours_are_rgb_and_upscaling_works(tmp_path):
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height = stream.width = 32
        stream.pix_fmt = "yuv444p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        container.mux(stream.encode(None))
    for backend in ("pyav", "decord"):
        if backend == "decord":
            pytest.importorskip("decord")
        big = decode(tmp_path / "v.mp4", [0], (64, 64), backend)[0]
        np.testing.assert_allclose(big.reshape(-1, 3).mean(0), [200, 0, 0], atol=6)


def test_cut_file_gives_what_it_has_and_names_what_it_lacks(kinds, tmp_path, read_number):
    content = kinds["open_gops.ts"].read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(content[: len(content) // 2])
    info = probe(path)
    assert 20 < len(info.pts) < 80
    assert read_number(decode(path, [info.pts[10]], (48, 64))[0]) == 10


def test_damaged_middle_is_reported_with_file_and_time(tmp_path, make_video):
    whole = make_video(tmp_path / "whole.mp4", 60, size=(96, 128), options={"g": "250", "bf": "0"})
    index = frame_index(str(whole))
    with av.open(str(whole)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(whole.read_bytes())
    for position, size in places[20:30]:
        content[position : position + size] = bytes([255]) * size
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoRejected, match=r"damaged.mp4: the frame at 0\.8\d+ s cannot be decoded") as caught:
        decode(path, index.times[20:30], (48, 64))
    assert caught.value.reason.value == "undecodable"
    assert decode(path, index.times[:15], (48, 64)).shape == (15, 48, 64, 3)


def test_wrong_arguments(kinds, broken):
    with pytest.raises(ValueError, match="known ones: pyav, decord"):
        decode(kinds["short.mp4"], [0], (48, 64), "ffmpeg")
    with pytest.raises(ValueError, match="times is empty"):
        decode(kinds["short.mp4"], [], (48, 64))
    with pytest.raises(ValueError, match="finite seconds, got nan"):
        decode(kinds["short.mp4"], [0, float("nan")], (48, 64))
    with pytest.raises(VideoRejected) as caught:
        decode(broken["missing"], [0], (48, 64))
    assert caught.value.reason.value == "missing"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_memory_is_bounded_by_the_asked_frames(real_clips):
    code = (
        "import sys\nfrom videossr_verl.video.decode import decode\n"
        "from videossr_verl.video.probe import probe\n"
        "path = sys.argv[1]; pts = probe(path).pts\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024\n"
        "decode(path, pts[:1], (96, 160)); open('/proc/self/clear_refs', 'w').write('5'); before = peak()\n"
        "decode(path, pts, (96, 160)); print(peak() - before)\n"
    )
    command = [sys.executable, "-c", code, str(real_clips["bigbuckbunny"])]
    extra = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert extra < 60  # MB; 132 full pictures would be 365, the answer itself is 6
