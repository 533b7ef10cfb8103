"""A file or a folder is there wholly or not at all, whoever else writes it and wherever the writing stops."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from videossr_verl.files.whole_file import whole_file, whole_folder, write_whole


def test_any_number_may_write_one_file_at_once_and_a_reader_sees_one_of_theirs(tmp_path):
    path, texts = tmp_path / "note.json", {letter * 50_000 for letter in "abcdefgh"}
    path.write_text("a" * 50_000)
    together = threading.Barrier(len(texts))

    def write(text):
        together.wait()
        for _ in range(10):
            write_whole(path, text)
            assert path.read_text() in texts

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write, texts))
    assert [file.name for file in tmp_path.iterdir()] == ["note.json"]


@pytest.mark.parametrize("flush", [True, False])
def test_a_body_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, flush):
    path = tmp_path / "picture.png"
    path.write_text("old")

    def write_half():
        with whole_file(path, flush) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"picture.png": "old"}


def test_a_file_that_was_not_made_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "none"):
        pass


def test_a_folder_takes_the_place_of_the_old_one_and_of_what_a_killed_process_left(tmp_path):
    out, left = tmp_path / "model", tmp_path / ".model.partial"
    for folder in (out, left):
        folder.mkdir()
        (folder / "old").touch()
    with whole_folder(out) as partial:
        partial.mkdir()
        (partial / "new").touch()
        assert (out / "old").exists()
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["model", "model/new"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    out = tmp_path / "model"
    out.mkdir()
    (out / "old").touch()

    def fill_half():
        with whole_folder(out) as partial:
            partial.mkdir()
            (partial / "half").touch()
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fill_half()
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["model", "model/old"]
