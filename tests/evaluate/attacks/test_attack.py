"""The rules on rows of a real build, and the command."""

import json

import pytest

from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.attacks.answer_rows import answer_rows, rules_of
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tasks import task_names
from videossr_verl.tasks.presets import load_preset


def test_every_task_has_rules():
    assert all(rules_of(task) for task in task_names())


def test_the_command(dataset_folder, tmp_path, capsys):
    out = tmp_path / "rules.json"
    assert main(["attack", str(dataset_folder), "--limit", "3", "--out", str(out)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("best") for line in table) == 4
    data = json.loads(out.read_text())
    assert list(data) == sorted(load_preset("videossr_tiny").subsets)
    for task, rules in data.items():
        assert set(rules) == set(rules_of(task))
        rewards = [score["reward"] for score in rules.values()]
        assert rewards == sorted(rewards, reverse=True)
        assert all(score["questions"] == 3 for score in rules.values())
    jigsaw = data["temporal_jigsaw"]["last frame to first"]
    assert jigsaw["exact"] == 1  # the tiny preset's clips follow each other seamlessly


def test_processes_give_the_same_answers(dataset_folder, corpus_folder):
    rows = read_rows(dataset_folder / "train.parquet")
    many = [row | {"extra_info": row["extra_info"] | {"index": i}} for i, row in enumerate(3 * rows)]
    alone, together = (answer_rows(many, corpus_folder, workers) for workers in (1, 2))
    assert alone == together
    assert set().union(*alone.values()) == set(range(len(many)))


def test_wrong_input(dataset_folder, tmp_path, capsys):
    assert main(["attack", str(tmp_path)]) == 2
    assert "train.parquet' does not exist" in capsys.readouterr().err
    assert main(["attack", str(dataset_folder), "--limit", "0"]) == 2
    assert "--limit is 0, must be at least 1" in capsys.readouterr().err
    with pytest.raises(BadInput, match="no rules are installed for task 'mine'"):
        answer_rows([{"extra_info": {"task": "mine", "index": 0}}], tmp_path, 1)


def test_tasks_without_rules_are_told_and_left_out(dataset_folder, corpus_folder, capsys):
    row = next(row for row in read_rows(dataset_folder / "train.parquet") if "jigsaw" in row["data_source"])
    mine = {"extra_info": {"task": "mine", "index": 10**6}}
    answers = answer_rows([row, mine], corpus_folder, 1)
    assert {index for texts in answers.values() for index in texts} == {row["extra_info"]["index"]}
    message = (
        "no rules are installed for task 'mine' (entry point group videossr_verl.attacks): its 1 questions are left"
    )
    assert message in capsys.readouterr().err


def test_a_video_that_is_gone_is_told(dataset_folder, tmp_path, capsys):
    command = ["attack", str(dataset_folder), "--data-root", str(tmp_path), "--limit", "1"]
    assert main(command) == 2
    assert "none of the 4 videos can be shown" in capsys.readouterr().err
