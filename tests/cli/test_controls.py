"""`videossr controls` as users start it, with no model and with a server that always answers the same."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reward_fns import compute_score
from videossr_verl.cli import main
from videossr_verl.evaluate.attacks.answer_rows import rules_of
from videossr_verl.evaluate.controls import MODEL_COLUMNS, with_controls
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tasks.presets import load_preset

sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))
from openai_server import ANSWER, serving

TASKS = sorted(load_preset("videossr_tiny").subsets)  # of the data set


@pytest.fixture
def ask(dataset_folder, monkeypatch, capsys):
    """(arguments) -> exit code, standard output and standard error of the verb on the train split."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-3Jw8QzT5vNpL2xKd")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(*arguments, dataset=dataset_folder):
        code = main(["controls", str(dataset), "--split", "train", "--workers", "1", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def reward_of(row, text):
    return compute_score(row["data_source"], text, row["reward_model"]["ground_truth"], row["extra_info"])["score"]


def test_without_a_model(ask, dataset_folder, tmp_path):
    code, table, _ = ask("--limit", 2, "--out", tmp_path / "out")
    assert code == 0
    assert table == (tmp_path / "out" / "controls.md").read_text()
    assert "without --model" in table
    data = json.loads((tmp_path / "out" / "controls.json").read_text())
    assert [one["subset"] for one in data["subsets"]] == TASKS
    rows = read_rows(dataset_folder / "train.parquet")
    for one in data["subsets"]:
        own = [row for row in rows if row["extra_info"]["task"] == one["subset"]][:2]
        assert one["constant"]["questions"] == one["attack"]["questions"] == 2
        if one["subset"] in ("object_counting", "temporal_jigsaw"):  # which answer all clips alike
            texts = [row["reward_model"]["ground_truth"] for row in own]
            earned = max(sum(reward_of(row, text) for row in own) / 2 for text in texts)
            assert one["constant"]["reward"] >= earned - 1e-9
        assert one["rule"] in rules_of(one["subset"])
        assert one["model"] == {}
        assert f"| {one['subset']} | 2 |" in table


def test_with_a_server_the_controls_stand_beside_the_real_rows(ask, dataset_folder, corpus_folder, tmp_path):
    rows = read_rows(dataset_folder / "train.parquet")
    with serving() as server:
        command = ["--limit", 2, "--out", tmp_path / "out", "--model", "m", "--base-url", server.url]
        code, table, _ = ask(*command)
        assert code == 0
        assert len(server.asked) == 4 * 2 * len(MODEL_COLUMNS)
        assert ask(*command)[:2] == (0, table)
        assert len(server.asked) == 4 * 2 * len(MODEL_COLUMNS)  # nothing is asked again
    assert "| real | blind | single frame | shuffled frames |" in table
    data = json.loads((tmp_path / "out" / "controls.json").read_text())
    for one in data["subsets"]:
        own = [row for row in rows if row["extra_info"]["task"] == one["subset"]][:2]
        earned = sum(reward_of(row, ANSWER) for row in own) / 2
        assert list(one["model"]) == list(MODEL_COLUMNS)
        for score in one["model"].values():  # the same answer to the same questions, whatever is shown
            assert score["reward"] == pytest.approx(earned)
            assert score["questions"] == 2


def test_unanswered_questions_are_told(ask, tmp_path):
    with serving("status 400") as server:
        code, _, error = ask("--limit", 1, "--out", tmp_path / "out", "--model", "m", "--base-url", server.url)
    assert code == 2
    assert "16 questions in a row got no answer" in error


def test_each_row_and_each_control_of_it_is_asked_once(dataset_folder):
    rows = read_rows(dataset_folder / "train.parquet")
    asked = with_controls(rows, 3)
    assert [row["extra_info"]["index"] for row in asked] == list(range(4 * 3 * len(MODEL_COLUMNS)))
    sources = [row["data_source"].removeprefix("videossr/") for row in asked]
    for task in TASKS:
        for name in (task, *(f"{task}/{kind}" for kind in MODEL_COLUMNS[1:])):
            assert sources.count(name) == 3
    assert len(with_controls(rows, None)) == len(MODEL_COLUMNS) * len(rows)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--limit", "0"], "--limit is 0, must be at least 1"),
        (["--workers", "0"], "--workers is 0, must be at least 1"),
        (["--model", "m"], "--model needs --out DIR"),
        (["--base-url", "http://x/v1"], "--base-url needs --model"),
        (["--data-root", "."], "can be shown: give --data-root"),
    ],
)
def test_wrong_input_is_one_sentence(ask, arguments, sentence):
    code, _, error = ask(*arguments)
    assert code == 2
    assert sentence in error.splitlines()[-1]


def test_a_folder_without_a_data_set(ask, tmp_path):
    code, _, error = ask(dataset=tmp_path)
    assert code == 2
    assert "train.parquet' does not exist" in error


def test_a_split_of_one_video_has_no_blind_control(ask, dataset_folder, tmp_path):
    table = pq.read_table(dataset_folder / "train.parquet")
    (tmp_path / "data").mkdir()
    pq.write_table(table.slice(0, 1), tmp_path / "data" / "train.parquet")
    arguments = ["--data-root", ".", "--model", "m", "--out", tmp_path / "out", "--base-url", "http://x/v1"]
    code, _, error = ask(*arguments, dataset=tmp_path / "data")
    assert code == 2
    assert "has no other sample of its task" in error
