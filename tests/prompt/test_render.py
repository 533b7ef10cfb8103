"""Rendering: one decode for each source, the true clock, nothing outside the data root."""

import dataclasses

import numpy as np
import pytest
from transformers.video_utils import VideoMetadata

from videossr_verl.prompt import render
from videossr_verl.tiny.generated_videos import write_video
from videossr_verl.video.decode import decode
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.specs import VideoSpec


def spec_of(path, times, **changes):
    base = VideoSpec(
        video=path.name,
        times=tuple(times),
        clock=tuple(t - times[0] for t in times),
        width=64,
        height=48,
        min_pixels=28 * 28,
        max_pixels=64 * 64,
        task="temporal_jigsaw",
    )
    return dataclasses.replace(base, **changes)


def test_several_videos_of_one_source_are_decoded_once(kinds, read_number, monkeypatch):
    path = kinds["b_frames.mp4"]
    calls = []

    def counted(source, times, size, decoder):
        calls.append((source, tuple(times)))
        return decode(source, times, size, decoder)

    monkeypatch.setattr(render, "decode", counted)
    clips = [spec_of(path, [0.4, 0.44]), spec_of(path, [0.0, 0.04]), spec_of(path, [0.4, 0.48])]
    rendered, _ = render.render(clips, [], path.parent, 28)
    assert [times for _, times in calls] == [(0.0, 0.04, 0.4, 0.44, 0.48)]
    shown = [[read_number(f) for f in frames.permute(0, 2, 3, 1).numpy()] for frames, _ in rendered]
    assert shown == [[10, 11], [0, 1], [10, 12]]


def test_a_change_is_made_in_its_segment_only(kinds):
    path = kinds["b_frames.mp4"]
    times = [0.04 * k for k in range(8)]
    change = {"perturbation": "invert", "params": {}, "start": 2, "stop": 6}
    clean, changed = (
        frames.numpy()
        for frames, _ in render.render(
            [spec_of(path, times), spec_of(path, times, task="anomaly_grounding", transform=change)],
            [],
            path.parent,
            28,
        )[0]
    )
    assert clean.dtype == np.uint8
    assert (changed[2:6] == 255 - clean[2:6]).all()
    assert (np.delete(changed, slice(2, 6), 0) == np.delete(clean, slice(2, 6), 0)).all()


def test_borrowed_frames_keep_their_shape_and_fill_the_frame(tmp_path):
    """A square shows the middle of a picture twice as wide as high; pressed into it, the red sides would be seen."""
    wide = np.full((8, 48, 96, 3), 255, np.uint8)
    wide[:, :, :22] = wide[:, :, 74:] = (255, 0, 0)
    write_video(tmp_path / "wide.mp4", wide, 8)
    write_video(tmp_path / "square.mp4", np.zeros((8, 48, 48, 3), np.uint8), 8)
    source = {"video": "wide.mp4", "times": [0.25, 0.375], "width": 96, "height": 48}
    change = {"perturbation": "swap", "params": {}, "start": 2, "stop": 4, "source": source}
    times = [0.0, 0.125, 0.25, 0.375]
    spec = spec_of(tmp_path / "square.mp4", times, width=48, task="anomaly_grounding", transform=change)
    ((frames, _),), _ = render.render([spec], [], tmp_path, 28)
    assert frames.shape == (4, 3, 56, 56)
    assert frames[:2].max() < 20
    assert frames[2:].min() > 200


def test_metadata_tells_uneven_times_to_the_millisecond():
    clock = [0.0, 0.111, 0.5, 0.75, 1.3, 1.4]
    metadata = VideoMetadata(**video_metadata(clock))
    assert metadata.timestamps == pytest.approx(clock, abs=0.0005)
    assert metadata.sampled_fps == pytest.approx(5 / 1.4, rel=1e-3)


@pytest.mark.parametrize("escape", ["../secret.mp4", "/etc/passwd", "link/secret.mp4"])
def test_a_path_outside_the_data_root_is_refused(tmp_path, escape):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.mp4").write_bytes(b"")
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="outside the data root"):
        render.resolve_path(escape, tmp_path / "root")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(VideoRejected, match=r"gone\.mp4"):
        render.render([spec_of(tmp_path / "gone.mp4", [0.0, 0.1])], [], tmp_path, 28)
