"""A family that another package brings is found by a model's own config, by build, parity and plan."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_preprocess.build import BuildSettings, build
from videossr_verl.families import families
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.preflight.parity import compare
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer


@pytest.fixture
def model(tmp_path, monkeypatch):
    """(folder, model) of a tiny Qwen2-VL, whose family is installed from elsewhere."""
    package = tmp_path / "package"
    info = package / "other_family-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-family\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[videossr_verl.families]\nqwen2_vl = qwen2_vl_family\n")
    shutil.copy(Path(__file__).with_name("qwen2_vl.py"), package / "qwen2_vl_family.py")
    monkeypatch.syspath_prepend(package)
    families.cache_clear()
    tokenizer = train_tokenizer(["When does the segment start and end? 14.5-26.2"] * 4, 512)
    made = build_model("qwen2_vl", tokenizer, 0)
    save_checkpoint(made, build_processor("qwen2_vl", tokenizer), tmp_path / "model")
    yield tmp_path / "model", made
    families.cache_clear()


def test_build_parity_and_plan_know_it(model, corpus_folder, tmp_path):
    folder, made = model
    settings = BuildSettings(
        (str(corpus_folder),), str(tmp_path / "data"), "videossr_tiny", 8, 2, test_share=0.3, models=(str(folder),)
    )
    build(settings)
    rows = pq.read_table(tmp_path / "data" / "train.parquet").to_pylist()
    stored = [json.loads(row["extra_info"]["num_prompt_tokens"]) for row in rows]
    assert all(key.startswith("Qwen2VLProcessor-28-") for counts in stored for key in counts)
    found = dict(compare(str(folder), str(tmp_path / "data" / "train.parquet"), str(corpus_folder)))
    assert [] in found.values()
    # Where a video has more steps than rows and columns, transformers and vLLM do differ in this family.
    assert all(
        "though ids and grids are equal" in difference for differences in found.values() for difference in differences
    )
    shape = model_shape(str(folder))
    assert count_parameters(shape).total == sum(parameter.numel() for parameter in made.parameters())
