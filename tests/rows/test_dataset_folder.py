"""A dataset.json chooses no folder: its data root is believed where it lies in the dataset, or where it was built."""

import json
import shutil

import pytest

from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.rows.built_here import note_built
from videossr_verl.rows.dataset_folder import stored_data_root

ASKS = "but this user did not build this dataset in this folder: give --data-root"


def described(folder, root):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps({"data_root": str(root)}))
    return folder


def test_what_this_user_built_here_is_believed(dataset_folder, corpus_folder, tmp_path, monkeypatch):
    assert stored_data_root(dataset_folder) == str(corpus_folder)
    (tmp_path / "link").symlink_to(dataset_folder)
    assert stored_data_root(tmp_path / "link") == str(corpus_folder)
    monkeypatch.chdir(dataset_folder)
    assert stored_data_root(".") == str(corpus_folder)


def test_a_copy_is_not_and_the_remedy_works(dataset_folder, corpus_folder, tmp_path, capsys):
    shutil.copytree(dataset_folder, tmp_path / "copy", copy_function=shutil.copy2)  # all that an archive can keep
    inspect = ["inspect", str(tmp_path / "copy"), "--out", str(tmp_path / "x.png")]
    assert main(inspect) == 2
    message = capsys.readouterr().err
    assert ASKS in message
    assert message.count("\n") == 1
    assert main([*inspect, "--data-root", str(corpus_folder)]) == 0


@pytest.mark.parametrize("root", ["/", "/etc", "..", "../..", "/proc/self/root"])
def test_a_strangers_root_is_refused(tmp_path, root):
    with pytest.raises(BadInput, match=ASKS):
        stored_data_root(described(tmp_path / "data", root))


def test_another_root_than_the_one_that_was_built_from_is_refused(tmp_path):
    folder = described(tmp_path / "data", "/")
    note_built(folder, str(tmp_path / "videos"))
    with pytest.raises(BadInput, match=ASKS):
        stored_data_root(folder)
    described(folder, tmp_path / "videos")
    assert stored_data_root(folder) == str(tmp_path / "videos")


def test_a_root_in_the_datasets_own_folder_is_believed_unless_it_is_a_link_out(tmp_path):
    folder = described(tmp_path / "data", tmp_path / "data" / "videos")
    (folder / "videos").mkdir()
    assert stored_data_root(folder) == str(folder / "videos")
    (folder / "videos").rmdir()
    (folder / "videos").symlink_to("/")
    with pytest.raises(BadInput, match=ASKS):
        stored_data_root(folder)


def test_where_nothing_can_be_noted_the_user_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    note_built(described(tmp_path / "data", tmp_path), str(tmp_path))
    with pytest.raises(BadInput, match=ASKS):
        stored_data_root(tmp_path / "data")
