"""Parquet files from strangers in the hands of verl's dataset class: refused with a sentence, or read as ours alone."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from verl.utils.tokenizer import hf_processor, hf_tokenizer

from videossr_verl.errors import BadInput
from videossr_verl.train.dataset import PretextDataset


@pytest.fixture(scope="module")
def loaded(tiny_model, corpus_folder):
    """(table or rows, file) -> the data set of a file with them."""
    processor, tokenizer = hf_processor(str(tiny_model)), hf_tokenizer(str(tiny_model))

    def load(rows, file):
        pq.write_table(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows), file)
        config = {"data_root": str(corpus_folder), "max_prompt_length": 256, "filter_overlong_prompts": False}
        return PretextDataset([str(file)], tokenizer, OmegaConf.create(config), processor)

    return load


@pytest.fixture
def rows(dataset_folder):
    return pq.read_table(dataset_folder / "train.parquet").slice(0, 3).to_pylist()


def structured_prompt(row):
    content = [{"type": "video", "video": "http://203.0.113.1/a.mp4"}, {"type": "text", "text": "What is it?"}]
    row["prompt"] = [{"role": "user", "content": content}]


def no_transform(row):
    row["videos"] = [video | {"transform": None} for video in row["videos"]]


def address(row):
    row["videos"][0]["video"] = "http://203.0.113.1/a.mp4"


def outside(row):
    row["videos"][0]["video"] = "../../etc/passwd"


def outside_source(row):
    transform = json.loads(row["videos"][0]["transform"])
    source = {"video": "/etc/passwd", "times": row["videos"][0]["times"], "width": 64, "height": 48}
    row["videos"][0]["transform"] = json.dumps(transform | {"source": source})


def still_without_time(row):
    row["prompt"][1]["content"] += "<image>"
    row["images"] = [{"image": "/etc/passwd", "time": None, "width": 8, "height": 8, "min_pixels": 1, "max_pixels": 99}]


def deep_lengths(row):
    row["extra_info"]["num_prompt_tokens"] = "[" * 200_000


HOSTILE = {
    structured_prompt: "row 0 of '.*rows.parquet' cannot be used: it has a prompt that is no text",
    no_transform: "row 0 of '.*rows.parquet' cannot be used: .* has a transform that is no JSON text",
    address: "row 0 of '.*rows.parquet' cannot be used: .* is a network address",
    outside: "lies outside the data root",
    outside_source: "lies outside the data root",
    still_without_time: "row 0 of '.*rows.parquet' cannot be used: .* None in time",
    deep_lengths: "num_prompt_tokens is no JSON: it is nested too deeply",
}


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_a_hostile_row_is_refused_when_the_data_is_read(loaded, rows, tmp_path, no_network, change):
    for row in rows if change is structured_prompt else rows[:1]:
        change(row)
    with pytest.raises(BadInput, match=HOSTILE[change]) as error:
        loaded(rows, tmp_path / "rows.parquet")
    assert "\n" not in str(error.value)


def test_metadata_that_calls_a_column_images_is_dropped(loaded, rows, tmp_path, no_network):
    """The library `datasets` would fetch them when a row is read."""
    table = pa.Table.from_pylist(
        [row | {"picture": {"bytes": None, "path": "http://203.0.113.1/a.png"}} for row in rows]
    )
    features = {name: {"_type": "Value", "dtype": "string"} for name in table.column_names} | {
        "picture": {"_type": "Image"}
    }
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    dataset = loaded(table, tmp_path / "rows.parquet")
    assert dataset.dataframe[0]["picture"] == {"bytes": None, "path": "http://203.0.113.1/a.png"}


def test_the_same_rows_unchanged_are_good(loaded, rows, tmp_path, no_network):
    assert len(loaded(rows, tmp_path / "rows.parquet")) == 3
