"""Parquet files that unpack to far more than they are: refused by what they say, or by what comes out."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videossr_verl.errors import BadInput
from videossr_verl.files.parquet_files import read_parquet


def write(path, **columns):
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


def repeated(text, count):
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def lists(rows, values):
    ends = np.arange(0, rows * values + 1, values, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.zeros(rows * values)))


@pytest.mark.parametrize("form", ["text", "in a list", "numbers"])
def test_a_file_of_kilobytes_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path, form):
    if form == "numbers":
        file = tmp_path / "a.parquet"
        with pq.ParquetWriter(file, pa.schema([("a", pa.list_(pa.float64()))]), compression="zstd") as writer:
            for _ in range(40):  # 40 x 40 x 100,000 numbers are 1.3 GB
                writer.write_table(pa.table({"a": lists(40, 100_000)}))
    else:
        column = repeated("x" * 1_000_000, 40_000)
        if form == "in a list":
            column = pa.ListArray.from_arrays(pa.array(range(40_001), pa.int32()), column)
        file = write(tmp_path / "a.parquet", a=column)
    assert file.stat().st_size < 50_000
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=r"a.parquet', \d+ bytes, unpacks to more than 1.1 GB, .*: split it"):
            read_parquet(file)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert pa.total_allocated_bytes() - before < 2**26


def varint(number, length=0):
    """A zigzag number as Thrift's compact form has it, at least `length` bytes long."""
    number, out = number << 1, []
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    while len(out) < length:
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def test_what_the_footer_lies_about_is_counted(tmp_path, monkeypatch):
    file = write(tmp_path / "a.parquet", a=lists(3, 1_000_001))
    content = file.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    true = varint(3_000_003)
    forged = content[-footer:].replace(true, varint(3, len(true)))
    file.write_bytes(content[:-footer] + forged)
    assert pq.read_metadata(file).row_group(0).column(0).num_values == 3
    assert len(read_parquet(file)["a"][0]) == 1_000_001
    monkeypatch.setattr("videossr_verl.files.parquet_files.MAX_UNPACKED", 10_000_000)
    with pytest.raises(BadInput, match="unpacks to more than"):
        read_parquet(file)


KINDS = {
    "text": pa.array(["a", None, "b"]),
    "binary": pa.array([b"\xff", None, b""]),
    "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
    "large text": pa.array(["a", None, "b"], pa.large_string()),
    "objects": pa.array([{"a": ["x"], "b": 1}, None, {"a": None, "b": None}]),
    "map": pa.array([[("a", "b")], None, []], pa.map_(pa.string(), pa.string())),
    "numbers": pa.array([[1.5, None], None, []]),
    "times": pa.array([1, None, 2], pa.timestamp("ms")),
    "nothing": pa.nulls(3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_pyarrow_reads(tmp_path, kind):
    file = write(tmp_path / "a.parquet", a=KINDS[kind])
    assert read_parquet(file).equals(pq.read_table(file))
    assert read_parquet(file).schema.equals(pq.read_table(file).schema)


def test_texts_that_repeat_the_one_before_are_read_and_counted(tmp_path, monkeypatch):
    texts = pa.table({"a": ["x" * 10_000 + str(i) for i in range(300)]})
    how = {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}}
    pq.write_table(texts, tmp_path / "a.parquet", compression="zstd", **how)
    assert read_parquet(tmp_path / "a.parquet").equals(texts)
    monkeypatch.setattr("videossr_verl.files.parquet_files.MAX_UNPACKED", 1_000_000)
    with pytest.raises(BadInput, match="unpacks to more than"):
        read_parquet(tmp_path / "a.parquet")


def test_a_built_data_set_is_far_below_the_limit(dataset_folder):
    file = dataset_folder / "train.parquet"
    assert read_parquet(file).equals(pq.read_table(file))
    assert read_parquet(file).nbytes < 20 * file.stat().st_size
