"""What a video looks like, in bits."""

import numpy as np
import pytest

from videossr_verl.tiny.generated_videos import generate_frames, write_video
from videossr_verl.video.decode import decode, decode_possible
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.signature import MAX_PICTURES, STEP, _places, sign


def test_eight_pictures_a_second(real_clips):
    signature = sign(real_clips["bikes"])
    assert signature.places.tolist() == list(range(80))  # ten seconds
    assert (signature.hashes.shape, signature.hashes.dtype) == ((80, 2), np.uint64)
    assert sign(real_clips["bikes"]).hashes.tolist() == signature.hashes.tolist()


@pytest.mark.parametrize("seconds", [0, 0.2, 10, 127.9, 128.1, 600, 5000, 1e7])
def test_long_videos_have_fewer_pictures_a_second(seconds):
    places = _places(seconds)
    assert len(places) <= MAX_PICTURES
    assert 0 <= seconds - places[-1] * STEP < STEP * max(1, 2 * seconds / STEP / MAX_PICTURES)
    strides = set(np.diff(places).tolist())
    assert len(strides) <= 1
    assert all(stride & (stride - 1) == 0 for stride in strides)  # so that a trimmed copy has places of the same kind


def test_dark_and_flat_pictures_say_nothing(tmp_path):
    scene = generate_frames(np.random.default_rng(0), 36, 12)
    noise = np.random.default_rng(1).integers(0, 4, (24, 112, 112, 3), np.uint8)
    write_video(tmp_path / "fades in.mp4", np.concatenate([noise, scene]), 12)
    assert sign(tmp_path / "fades in.mp4").places[0] == 16  # two seconds
    write_video(tmp_path / "dark.mp4", noise, 12)
    write_video(tmp_path / "grey.mp4", np.full((24, 64, 64, 3), 128, np.uint8), 12)
    for name in ("dark", "grey"):
        assert sign(tmp_path / f"{name}.mp4").hashes.shape == (0, 2)


def test_what_cannot_be_decoded_is_left_out(kinds, tmp_path):
    """The third of five groups of pictures is overwritten; the index, at the end of the file, is whole."""
    whole = kinds["closed_gops.mp4"].read_bytes()
    start = whole.index(b"mdat")
    body = whole.index(b"moov") - start
    damaged = bytearray(whole)
    damaged[start + body * 2 // 5 : start + body * 3 // 5] = bytes(body * 3 // 5 - body * 2 // 5)
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    times = np.arange(0, 3.95, STEP)
    frames, missing = decode_possible(tmp_path / "damaged.mp4", times, (48, 64))
    assert 0 < missing.sum() < len(times)
    np.testing.assert_array_equal(frames[0], decode(kinds["closed_gops.mp4"], [0.0], (48, 64))[0])
    with pytest.raises(VideoRejected, match=f"{missing.sum()} of the asked frames missing"):
        decode(tmp_path / "damaged.mp4", times, (48, 64))
    found = set(sign(tmp_path / "damaged.mp4").places.tolist())
    assert found == set(sign(kinds["closed_gops.mp4"]).places.tolist()) - set(np.flatnonzero(missing).tolist())
