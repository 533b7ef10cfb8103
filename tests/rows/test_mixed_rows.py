"""Files whose columns have other types stand in one run, and each row keeps its own values."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.errors import BadInput
from videossr_verl.files.parquet_files import read_parquet
from videossr_verl.rows.mixed_rows import read_files

OURS = {
    "data_source": "videossr/temporal_jigsaw",
    "prompt": [{"role": "user", "content": "<video>"}],
    "videos": [{"video": "v.mp4", "times": [0.0, 1.0], "transform": "{}"}],
    "images": [],
    "reward_model": {"style": "rule", "ground_truth": "21"},
    "extra_info": {"index": 0, "difficulty": "{}"},
}
PLAIN = {
    "data_source": "my_qa",
    "prompt": [{"role": "user", "content": "<video>"}],
    "videos": [{"video": "/v.mp4", "fps": 1.0}],
    "reward_model": {"style": "rule", "ground_truth": "B"},
    "extra_info": {"index": 3},
}
OTHERS = {
    "as ours": {},
    "text as index": {"extra_info": {"index": "q17"}},
    "number as difficulty": {"extra_info": {"index": 3, "difficulty": 0.5}},
    "number as truth": {"reward_model": {"style": "rule", "ground_truth": 2}},
    "list as truth": {"reward_model": {"style": "rule", "ground_truth": ["2", "two"]}},
    "object as truth": {"reward_model": {"style": "rule", "ground_truth": {"start": 1.5}}},
    "paths as videos": {"videos": ["/v.mp4"]},
    "text as prompt": {"prompt": "What?"},
    "a column of its own": {"agent_name": "tool_agent"},
    "no extra_info": {"extra_info": None},
}


def write(rows, file):
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
@pytest.mark.parametrize("change", OTHERS)
def test_each_row_keeps_its_own_values(change, suffix, tmp_path):
    other = PLAIN | OTHERS[change]
    rows = read_files([write([OURS], tmp_path / "a.parquet"), write([other], tmp_path / f"b.{suffix}")])
    assert rows[0] == dict.fromkeys(rows.column_names) | OURS
    assert rows[1] == dict.fromkeys(rows.column_names) | other
    assert list(rows[0]) == list(rows[1]) == rows.column_names  # verl joins batches by name
    assert rows["reward_model"] == [OURS["reward_model"], other["reward_model"]]


def test_json_lines_may_differ_among_themselves_and_no_text_becomes_a_date(tmp_path):
    lines = [PLAIN | {"reward_model": {"ground_truth": truth}} for truth in ("2024-01-01", 2, ["a"], None, 10**30)]
    rows = read_files([write(lines, tmp_path / "rows.jsonl")])
    assert [row["reward_model"]["ground_truth"] for row in rows] == ["2024-01-01", 2, ["a"], None, 10**30]


def test_a_row_that_is_changed_is_as_stored_the_next_time(tmp_path):
    """verl writes into a row's messages."""
    rows = read_files([write([OURS], tmp_path / "a.parquet"), write([PLAIN], tmp_path / "b.jsonl")])
    for place in (0, 1):
        before = rows[place]["prompt"]
        rows[place]["prompt"][0]["content"] = "changed"
        assert rows[place]["prompt"] == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}\n[1]\n", "line 2 is no JSON object: write one object a line, or parquet"),
        ('{"a": 1}\n{"a":\n', "line 2 is no JSON: Expecting value"),
        ('{"a":' * 100_000, "line 1 is no JSON: "),
        (b"\xff\xfe", "can't decode byte 0xff"),
        (None, "does not exist: build it with"),
    ],
)
def test_a_broken_file_is_named(content, sentence, tmp_path):
    file = tmp_path / "rows.jsonl"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=r"data file '.*rows\.jsonl'") as error:
        read_files([str(file)])
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Rows 0 to 11 of four files, one of them empty."""
    folder = tmp_path_factory.mktemp("numbered")
    names = ("a.parquet", "b.jsonl", "c.jsonl", "d.parquet")
    parts = [range(5), range(5, 8), range(0), range(8, 12)]
    files = [write([{"n": n} for n in part], folder / name) for name, part in zip(names, parts, strict=True)]
    wanted = [f"row {n - part.start} of '{file}'" for file, part in zip(files, parts, strict=True) for n in part]
    return read_files(files), wanted


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=3))
def test_chosen_rows_know_where_they_come_from(numbered, choices):
    rows, places = numbered
    expected = list(range(12))
    for choice in choices:
        chosen = sorted(place for place in choice if place < len(expected))
        rows, expected = rows.select(np.array(chosen, int)), [expected[place] for place in chosen]
    assert len(rows) == len(expected)
    assert [row["n"] for row in rows] == rows["n"] == [rows[i]["n"] for i in range(len(rows))] == expected
    assert [rows.place(i) for i in range(len(rows))] == [places[n] for n in expected]
    with pytest.raises(IndexError):
        rows[len(rows)]


@pytest.mark.parametrize("how", ["replaced", "written to"])
def test_a_file_that_changes_while_it_is_read_is_not_taken_for_another(tmp_path, monkeypatch, how):
    """One that is replaced is read as it was; one that is written to is refused."""
    file = tmp_path / "a.parquet"
    write([OURS], file)
    fingerprint, size = read_files([str(file)]).fingerprints, file.stat().st_size

    def while_reading(content, name):
        if how == "replaced":
            write([OURS, OURS], tmp_path / "new.parquet")
            (tmp_path / "new.parquet").replace(file)
        else:
            with file.open("r+b") as same:
                same.truncate(size // 2)
                same.truncate(size)
        return read_parquet(content, name)

    monkeypatch.setattr("videossr_verl.rows.row_files.read_parquet", while_reading)
    if how == "replaced":
        rows = read_files([str(file)])
        assert len(rows) == 1
        assert rows.fingerprints == fingerprint
    else:
        with pytest.raises(BadInput, match=r"a\.parquet"):
            read_files([str(file)])


def test_the_fingerprint_of_json_lines_is_of_their_bytes(tmp_path):
    files = [write([PLAIN], tmp_path / "a.jsonl"), write([PLAIN, PLAIN], tmp_path / "b.jsonl")]
    one, two = read_files(files).fingerprints
    assert one != two
    assert read_files([write([PLAIN], tmp_path / "c.jsonl")]).fingerprints == (one,)
