"""Data never become code: no pickle is loaded, and no model's own code, unless somebody asks for it."""

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, ListConfig

import videossr_verl.prompt.tokens
from videossr_verl.errors import BadInput
from videossr_verl.prompt.tokens import load_processor
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tasks import embedding_cache
from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.embedding_cache import cached_embeddings
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_cache import SUFFIX, FrameCache

REPOSITORY, INSTALLED = Path(__file__).parent.parent.parent, Path(videossr_verl.__file__).parent.parent
ALLOWED = {  # each asks for it on purpose
    ("remote_code.py", "trust_remote_code"),  # takes it from the config in place of verl's own True
    ("rollout_dump.py", "torch.load"),  # reads a file that verl has written just before
    ("rollout_dump.py", "weights_only"),
}


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.fixture
def canary(tmp_path):
    """A pickle that would make a folder; the test fails if it does."""
    made = tmp_path / "unpickled"
    yield pickle.dumps(Canary(made))
    assert not made.exists()


def object_array(path, canary_file):
    with path.open("wb") as file:
        np.save(file, np.array([Canary(canary_file)], dtype=object), allow_pickle=True)


@pytest.fixture
def clip(monkeypatch):
    monkeypatch.setattr(embedding_cache, "embed", lambda frames, *how: np.ones((len(frames), 5), np.float32))
    times = (0.0, 1.0, 2.0)
    return Clip("v.mp4", "a" * 16, 8, 8, times, times, (0.0, 3.0), 64, 64)


def poisons(tmp_path, canary):
    """What may stand where vectors should: name -> function that writes it."""
    header = b"\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3, 100000000000), }"
    return {
        "a pickle": lambda path: path.write_bytes(canary),
        "an array of objects": lambda path: object_array(path, tmp_path / "unpickled"),
        "an archive": lambda path: np.savez(path.open("wb"), np.ones((3, 5), np.float32)),
        "an archive of a pickle": lambda path: np.savez(path.open("wb"), np.array([Canary(tmp_path / "x")], object)),
        "another shape": lambda path: np.save(path.open("wb"), np.ones((2, 5), np.float32)),
        "no shape": lambda path: np.save(path.open("wb"), np.float32(1)),
        "another type": lambda path: np.save(path.open("wb"), np.full((3, 5), "text")),
        "no numbers": lambda path: np.save(path.open("wb"), np.full((3, 5), np.nan, np.float32)),
        "a header of terabytes": lambda path: path.write_bytes(header.ljust(128) + bytes(100)),
        "a broken header": lambda path: path.write_bytes(b"\x93NUMPY\1\0v\0{'descr': (((("),
        "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    }


@pytest.mark.parametrize("kind", list(poisons(Path(), b"")))
def test_a_poisoned_cache_of_embeddings_is_a_miss(clip, canary, tmp_path, kind):
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    right = cached_embeddings(str(tmp_path / "cache"), clip, frames, "x", {})
    (file,) = (tmp_path / "cache").glob("*/*.npy")
    poisons(tmp_path, canary)[kind](file)
    for _ in range(2):
        np.testing.assert_array_equal(cached_embeddings(str(tmp_path / "cache"), clip, frames, "x", {}), right)


def test_a_poisoned_cache_of_frames_is_a_miss(kinds, canary, tmp_path):
    video, times, size = kinds["short.mp4"], [0.0, 0.2], (28, 28)
    right = decode(video, times, size)
    cache = FrameCache(tmp_path / "cache", 1e9)
    cache.frames(video, times, size)
    (frames,), (note,) = (tmp_path / "cache").glob(f"*/*{SUFFIX}"), (tmp_path / "cache" / "ids").iterdir()
    for poison in (canary, canary.ljust(right.nbytes + 4, b"\0"), b"", bytes(10**6)):
        frames.write_bytes(poison)
        np.testing.assert_array_equal(cache.frames(video, times, size), right)
    assert cache.counts["damaged"] == 4
    frames.write_bytes(b"")
    os.truncate(frames, 10**13)  # not read to its end
    np.testing.assert_array_equal(cache.frames(video, times, size), right)
    for poison in (canary, b"", b"../../../../etc/passwd", b"z" * 16, bytes(10**6)):
        note.write_bytes(poison)
        np.testing.assert_array_equal(cache.frames(video, times, size), right)


def test_pickles_in_the_schema_of_a_table_are_not_loaded(canary, tmp_path):
    """pyarrow before 14.0.1 unpickled the type of such a column (CVE-2023-47248)."""
    marks = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": canary}
    field = pa.field("data_source", pa.string(), metadata=marks)
    table = pa.Table.from_arrays([pa.array(["videossr/x"])], schema=pa.schema([field], metadata={"pandas": canary}))
    pq.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(BadInput, match=r"row 0 of .* cannot be used: extra_info is None"):
        read_rows(tmp_path / "train.parquet")


def trusted(config, path=""):
    """Paths of all settings that let a model bring its own code."""
    if isinstance(config, DictConfig):
        items = [(key, config._get_node(key)) for key in config]
    elif isinstance(config, ListConfig):
        items = list(enumerate(config))
    else:
        return
    for key, value in items:
        below = f"{path}.{key}"
        if key == "trust_remote_code" and config[key]:
            yield below
        yield from trusted(value, below)


@pytest.mark.parametrize("name", ["videossr_grpo", "mvp_grpo", "videossr_mvp_grpo", "videossr_grpo_cpu"])
def test_no_config_trusts_a_models_code(name):
    with initialize_config_module("videossr_verl.train.config", version_base=None):
        config = compose(name, overrides=["hydra.searchpath=[pkg://verl.trainer.config]"])
    assert list(trusted(config)) == []
    assert config.actor_rollout_ref.model.trust_remote_code is False
    assert config.data.get("trust_remote_code", False) is False


def test_a_processor_is_loaded_without_its_models_code(tiny_model, monkeypatch):
    from transformers import AutoProcessor

    seen = []
    stock = AutoProcessor.from_pretrained
    monkeypatch.setattr(AutoProcessor, "from_pretrained", lambda *a, **how: seen.append(how) or stock(*a, **how))
    load_processor(str(tiny_model))
    assert seen == [{}]


# What turns bytes into code, or lets a library do so.
DANGEROUS = ("trust_remote_code", "pickle.load", "torch.load", "allow_pickle=True", "joblib", "shelve", "weights_only")


@pytest.mark.parametrize("folder", ["videossr_verl", "data_preprocess", "reward_fns", "recipes", "hydra_plugins"])
def test_nothing_of_ours_asks_for_it(folder):
    root = REPOSITORY if folder == "recipes" else INSTALLED
    files = [p for p in (root / folder).rglob("*") if p.suffix in (".py", ".yaml", ".sh", ".jsonl")]
    assert files
    found = {(p.name, word) for p in files for word in DANGEROUS if word in p.read_text(encoding="utf-8")}
    assert found <= ALLOWED
