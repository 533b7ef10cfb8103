"""Groups that teach something, counted by hand and sampled from the real engine."""

import gc
import json

import numpy as np
import psutil
import pytest

from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.difficulty import as_text, fits, recommended, sample_groups, write_probe
from videossr_verl.evaluate.engine import Lost, Sampling
from videossr_verl.evaluate.questions import Question, read_questions
from videossr_verl.evaluate.vllm_engine import VllmEngine


def row(index, subset="jigsaw_3", truth="123", clips=3):
    return {
        "data_source": f"videossr/temporal_jigsaw/{subset}",
        "reward_model": {"ground_truth": truth},
        "extra_info": {"index": index, "task": "temporal_jigsaw", "difficulty": json.dumps({"num_clips": clips})},
    }


def test_figures_by_hand():
    rows = [row(0), row(1), row(2), row(3, "jigsaw_2", "12", 2)]
    sampled = {0: ["123", "123"], 1: ["123", "321"], 2: ["x", "y"], 3: ["12", "21"]}
    two, three = sorted(fits(rows, sampled), key=lambda fit: fit.subset)
    assert (three.groups, three.reward, three.useless) == (3, pytest.approx(0.5), pytest.approx(2 / 3))
    assert three.variance == pytest.approx(np.mean([0, 0.25, 0]))
    assert three.histogram == (1, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    assert (two.groups, two.useless, two.variance) == (1, 0, 0.25)
    assert recommended([three, two]) == {"temporal_jigsaw": "temporal_jigsaw/jigsaw_2"}
    text = as_text([three, two])
    assert "temporal_jigsaw: temporal_jigsaw/jigsaw_2 fits best of 2" in text
    assert "66.7%" in text


def test_a_single_difficulty_gets_a_verdict():
    solved = fits([row(0), row(1)], {0: ["123"] * 4, 1: ["123"] * 4})
    assert as_text(solved).endswith("most groups teach nothing: make it harder")
    hopeless = fits([row(0), row(1)], {0: ["x"] * 4, 1: ["y"] * 4})
    assert as_text(hopeless).endswith("most groups teach nothing: ease it")
    mixed = fits([row(0)], {0: ["123", "321"]})
    assert as_text(mixed).endswith("most groups teach something")


def test_groups_of_the_real_engine(tiny_model, dataset_folder, corpus_folder, tmp_path):
    rows = read_questions(dataset_folder / "train.parquet")[:8]
    most = [max(len(r[kind]) for r in rows) for kind in ("videos", "images")]
    engine = VllmEngine(str(tiny_model), *most, {"max_model_len": 1024, "max_num_seqs": 16})
    sampled = sample_groups(rows, corpus_folder, engine, Sampling(4, 1.0, 12)).groups
    assert {len(answers) for answers in sampled.values()} == {4}
    assert set(sampled) == {r["extra_info"]["index"] for r in rows}
    assert any(len(set(answers)) > 1 for answers in sampled.values())
    found = fits(rows, sampled)
    assert sum(fit.groups for fit in found) == 8
    write_probe(found, tmp_path / "probe.json")
    assert json.loads((tmp_path / "probe.json").read_text())["recommended"]

    held = psutil.Process().memory_info().rss
    del engine
    gc.collect()
    assert held - psutil.Process().memory_info().rss > 0.9 * 2**30  # vLLM's cache of 1 GiB goes with its engine


class Fixed:
    """Answers as it is told."""

    factor = 28

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    def answer(self, asked, how):
        assert all(isinstance(q, Question) for q in asked)
        for question in asked:
            if isinstance(outcome := self.outcomes.pop(0), BadInput):
                raise outcome
            yield question.id, outcome


def test_questions_without_answers_are_left_out_and_told(dataset_folder, corpus_folder, tmp_path):
    rows = read_questions(dataset_folder / "train.parquet")[:3]
    indices = [row["extra_info"]["index"] for row in rows]
    engine = Fixed(["a", "b"], Lost("the server sneezed"), ["c", "d"])
    sampled = sample_groups(rows, corpus_folder, engine, Sampling(2, 1.0, 8))
    assert sampled.groups == {indices[0]: ["a", "b"], indices[2]: ["c", "d"]}
    assert sampled.left_out == "1 of 3 questions have no answer: 1 lost (first: the server sneezed)"
    assert sampled.ended is None
    with pytest.raises(BadInput, match=r"3 of 3 questions have no answer: 3 whose video cannot be shown"):
        sample_groups(rows, tmp_path, Fixed(), Sampling(2, 1.0, 8))


def test_what_was_sampled_before_an_error_is_shown(dataset_folder, corpus_folder, monkeypatch, capsys):
    engine = Fixed(["1,1,1", "2"], BadInput("the server went home"))
    monkeypatch.setattr("videossr_verl.evaluate.engine.open_engine", lambda *_: engine)
    command = ["probe", "--model", "m", "--data", str(dataset_folder / "train.parquet"), "-k", "2"]
    assert main([*command, "--data-root", str(corpus_folder)]) == 2
    said = capsys.readouterr()
    assert len([line for line in said.out.splitlines() if line.endswith("|")]) == 1
    assert said.err.endswith("videossr: the server went home\n")


@pytest.mark.parametrize("out", ["none/probe.json", "file/probe.json", ""])
def test_where_it_cannot_write_it_asks_nothing(out, dataset_folder, corpus_folder, tmp_path, capsys):
    (tmp_path / "file").touch()
    options = ["--data", str(dataset_folder / "train.parquet"), "--data-root", str(corpus_folder)]
    assert main(["probe", "--model", "none/at/all", *options, "--out", str(tmp_path / out)]) == 2
    assert "cannot be written: give a file in a folder that is there" in capsys.readouterr().err


def test_a_group_of_one_is_refused(capsys):
    assert main(["probe", "--model", "m", "--data", "d", "-k", "1"]) == 2
    assert "one answer has no variance" in capsys.readouterr().err
