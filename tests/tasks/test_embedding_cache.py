import numpy as np
import pytest

from videossr_verl.tasks import embedding_cache
from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.embedding_cache import cached_embeddings


@pytest.fixture
def calls(monkeypatch):
    """How many frames were embedded, call by call; a vector is the frame's mean."""
    seen = []

    def embed(frames, name, use_gpus):
        seen.append(len(frames))
        return frames.mean(axis=(1, 2))

    monkeypatch.setattr(embedding_cache, "embed", embed)
    return seen


def clip(times=(0.0, 1.0, 2.0), content_id="a" * 16):
    return Clip("v.mp4", content_id, 8, 8, times, tuple(times), (0.0, 3.0), 64, 64)


def test_a_video_is_embedded_once(calls, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    first = cached_embeddings(str(tmp_path), clip(), frames, "built_in", {"name": "built_in"})
    again = cached_embeddings(str(tmp_path), clip(), frames, "built_in", {"name": "built_in"})
    assert calls == [3]
    np.testing.assert_array_equal(first, again)


def test_what_vectors_depend_on_tells_them_apart(calls, tmp_path):
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    for one, what in (
        (clip(), {"name": "x"}),
        (clip(), {"name": "x", "weights": "1"}),
        (clip((0.0, 1.0, 2.5)), {"name": "x"}),
        (clip(content_id="b" * 16), {"name": "x"}),
    ):
        cached_embeddings(str(tmp_path), one, frames, "x", what)
    cached_embeddings(str(tmp_path), clip(), np.zeros((3, 16, 8, 3), np.uint8), "x", {"name": "x"})
    assert len(calls) == 5


def test_a_damaged_file_or_no_folder_only_costs_time(calls, tmp_path):
    frames = np.ones((3, 8, 8, 3), np.uint8)
    for _ in range(2):
        assert cached_embeddings(str(tmp_path), clip(), frames, "x", {}).shape == (3, 3)
        (file,) = tmp_path.glob("*/*.npy")
        file.write_bytes(b"not an array")
    (tmp_path / "file").write_text("")
    assert cached_embeddings(str(tmp_path / "file"), clip(), frames, "x", {}).shape == (3, 3)
    assert len(calls) == 3


def test_nothing_is_kept_unless_asked_for(calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = np.ones((3, 8, 8, 3), np.uint8)
    for _ in range(2):
        assert cached_embeddings(None, clip(), frames, "x", {}).shape == (3, 3)
    assert len(calls) == 2
    assert not list(tmp_path.rglob("*"))
