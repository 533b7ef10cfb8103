"""The answers of the best rules beside a benchmark's questions."""

import shutil

from reward_fns.registry import ATTACKS, entries
from videossr_verl.evaluate.viubench.best_rules import read_best_rules, write_best_rules
from videossr_verl.evaluate.viubench.score import score
from videossr_verl.rows.dataset_folder import read_rows


def test_a_task_without_rules_has_no_answers_and_the_others_have(
    dataset_folder, corpus_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.delitem(entries(ATTACKS), "object_counting")
    shutil.copy(dataset_folder / "test.parquet", tmp_path)
    write_best_rules(tmp_path, corpus_folder, 1)
    assert "no rules are installed for task 'object_counting'" in capsys.readouterr().err
    rows = read_rows(tmp_path / "test.parquet")
    missing = {column.subset: column.missing for column in score(rows, read_best_rules(tmp_path))}
    assert missing.pop("object_counting") == 1
    assert set(missing.values()) == {0}
