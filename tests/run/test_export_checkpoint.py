"""The HF model is taken from the last whole checkpoint only."""

import shutil

import pytest

from videossr_verl.errors import BadInput
from videossr_verl.run.export_checkpoint import export_checkpoint, last_hf_model


def test_the_last_checkpoint_is_exported_and_loads(tiny_model, tmp_path):
    steps = tmp_path / "steps"
    for step in (20, 40):
        shutil.copytree(tiny_model, steps / f"global_step_{step}" / "actor" / "huggingface")
    (steps / "latest_checkpointed_iteration.txt").write_text("20")
    assert last_hf_model(steps).parts[-3] == "global_step_20"
    export_checkpoint(steps, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (tiny_model / "model.safetensors").read_bytes()


def test_no_checkpoint_or_no_weights_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="no finished checkpoint"):
        last_hf_model(tmp_path)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("1")
    with pytest.raises(BadInput, match="holds no weights: add hf_model"):
        last_hf_model(tmp_path)


def test_a_damaged_model_leaves_nothing_behind(tiny_model, tmp_path):
    folder = tmp_path / "steps" / "global_step_1" / "actor" / "huggingface"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").write_bytes(b"cut")
    (tmp_path / "steps" / "latest_checkpointed_iteration.txt").write_text("1")
    with pytest.raises(Exception, match=r".+"):
        export_checkpoint(tmp_path / "steps", tmp_path / "out")
    assert not (tmp_path / "out").exists()
