"""A small corpus, and functions that misbehave in worker processes."""

import shutil
import sys

import pytest

from data_preprocess.build import BuildSettings, build
from videossr_verl.tiny.generated_videos import generate_videos

WORKER_FUNCTIONS = """
import os, signal, time
from data_preprocess.probe_corpus import probe_one

def misbehave(kind, folder):
    with open(os.path.join(folder, kind), "a") as log:
        log.write("x")
    if kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "hang":
        time.sleep(600)
    if kind == "raise":
        raise KeyError("unexpected")
    if kind == "killed once" and os.path.getsize(os.path.join(folder, kind)) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return kind.upper()

def probe_or_crash(path, video):
    if "001" in video:
        os.kill(os.getpid(), signal.SIGSEGV)
    return probe_one(path, video)
"""


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    """Six usable videos, one in a sub folder with an unusual name; a copy; a broken file; a text file."""
    folder = tmp_path_factory.mktemp("corpus")
    videos = generate_videos(folder, 6, seed=0, seconds=2.5)
    (folder / "sub folder").mkdir()
    shutil.move(videos[5], folder / "sub folder" / "Ünï cödé.mp4")
    shutil.copy(videos[0], folder / "zz_copy.mp4")
    (folder / "broken.mkv").write_bytes(b"not a video")
    (folder / "notes.txt").write_text("ignored")
    return folder


@pytest.fixture
def worker_functions(tmp_path, monkeypatch):
    """A module that worker processes can import too."""
    (tmp_path / "videossr_test_workers.py").write_text(WORKER_FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    import videossr_test_workers

    yield videossr_test_workers
    del sys.modules["videossr_test_workers"]


@pytest.fixture(scope="session")
def dataset_folder(corpus_folder, tmp_path_factory):
    """A dataset of the corpus: 24 train and 6 test samples, two videos for test."""
    out = tmp_path_factory.mktemp("dataset") / "out"
    settings = BuildSettings(
        (str(corpus_folder),), str(out), "videossr_tiny", count=24, test_count=6, test_share=0.3
    )
    build(settings)
    return out
