"""Evaluation with the real vLLM and the tiny model; tests/faults has servers, full disks and files that are cut."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from reward_fns import compute_score
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.evaluate import asking
from videossr_verl.evaluate.engine import Lost, Sampling
from videossr_verl.evaluate.questions import questions, read_questions
from videossr_verl.evaluate.run import EvalSettings, evaluate
from videossr_verl.evaluate.vllm_engine import VllmEngine

VLLM = {"max_model_len": 1024, "max_num_seqs": 16}


@pytest.fixture(scope="module")
def rows(dataset_folder):
    return read_questions(dataset_folder / "train.parquet")


def settings(dataset_folder, corpus_folder, out, **changes):
    data = str(dataset_folder / "train.parquet")
    return EvalSettings(**{"model": "m", "data": data, "data_root": str(corpus_folder), "out": str(out)} | changes)


def test_vllm_answers_resumes_and_scores(tiny_model, dataset_folder, corpus_folder, rows, tmp_path, monkeypatch):
    asked = []
    stock = VllmEngine.answer

    def counted(self, questions, how):
        asked.extend(q.id for q in questions)
        if len(asked) > 8 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise KeyboardInterrupt
        return stock(self, questions, how)

    monkeypatch.setattr(VllmEngine, "answer", counted)
    monkeypatch.setattr(asking, "BATCH", 8)
    how = settings(dataset_folder, corpus_folder, tmp_path / "out", model=str(tiny_model), max_tokens=12)
    with pytest.raises(KeyboardInterrupt):
        evaluate(how, VLLM)
    first = (tmp_path / "out" / "answers.jsonl").read_text()
    assert len(first.splitlines()) == 8
    with (tmp_path / "out" / "answers.jsonl").open("a") as file:
        file.write('{"id": 9, "ans')  # cut off by the kill
    asked.clear()
    text = evaluate(how, VLLM).text
    assert asked == [row["extra_info"]["index"] for row in rows[8:]]
    lines = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [row["extra_info"]["index"] for row in rows]
    assert (tmp_path / "out" / "answers.jsonl").read_text().startswith(first)

    # The score is our own reward of the same answers, and far above chance where the tiny model sees.
    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    for subset in written["subsets"]:
        rewards = [
            compute_score(row["data_source"], line["answer"], row["reward_model"]["ground_truth"], row["extra_info"])
            for row, line in zip(rows, lines, strict=True)
            if row["data_source"] == f"videossr/{subset['subset']}"
        ]
        assert subset["reward"] == pytest.approx(sum(r["score"] for r in rewards) / len(rewards))
    reward = {subset["subset"]: subset["reward"] for subset in written["subsets"]}
    assert reward["temporal_jigsaw"] > 0.8
    assert "| temporal_jigsaw |" in text
    assert (tmp_path / "out" / "scores.png").read_bytes().startswith(b"\x89PNG")
    asked.clear()
    assert evaluate(how, VLLM).text == text
    assert not asked

    with pytest.raises(BadInput, match="holds answers with another max_tokens"):
        evaluate(settings(dataset_folder, corpus_folder, tmp_path / "out", model=str(tiny_model), max_tokens=9), VLLM)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"limit": 0}, "limit is 0, must be at least 1"),
        ({"max_tokens": 0}, "max tokens is 0, must be at least 1"),
        ({"temperature": -1.0}, "temperature is -1, must be at least 0"),
        ({"temperature": float("inf")}, "temperature is inf, must be at least 0"),
        ({"timeout": 0.0}, "timeout is 0, must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout is nan, must be a number"),
        ({"base_url": "user:hunter2@h"}, "--base-url is not the address of a server"),
        ({"data_root": "nowhere"}, "data root 'nowhere' is not a folder"),
    ],
)
def test_wrong_settings(changes, sentence, dataset_folder, corpus_folder, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        evaluate(settings(dataset_folder, corpus_folder, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_questions_come_in_order_and_as_in_training(rows, corpus_folder, dataset_folder):
    made = list(questions(rows, corpus_folder, 28))
    assert [identity for identity, _ in made] == [row["extra_info"]["index"] for row in rows]
    for row, (_, question) in zip(rows, made, strict=True):
        assert [len(frames) for frames, _ in question.videos] == [len(v["times"]) for v in row["videos"]]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "none.parquet", "does not exist"),
        (lambda folder: (folder / "text.parquet").write_text("x") and folder / "text.parquet", "cannot be read"),
    ],
)
def test_wrong_data(make, sentence, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        read_questions(make(tmp_path))


def test_rows_that_cannot_be_told_apart(dataset_folder, tmp_path):
    table = pq.read_table(dataset_folder / "train.parquet")
    pq.write_table(table.take([0, 0]), tmp_path / "twice.parquet")
    with pytest.raises(BadInput, match="rows with the same index"):
        read_questions(tmp_path / "twice.parquet")


def test_a_question_that_vllm_refuses_is_lost_alone(tiny_model, rows, corpus_folder):
    """vLLM itself answers none of a call's questions where it refuses one."""
    engine = VllmEngine(str(tiny_model), 1, 0, VLLM)
    asked = [made for _, made in questions(rows[:5], corpus_folder, engine.factor)]
    too_long = [{"role": "user", "content": "<video>" + "seconds " * 2000}]
    asked[3] = replace(asked[3], messages=too_long)
    found = dict(engine.answer(asked, Sampling(2, 1.0, 4)))
    lost = found.pop(asked[3].id)
    assert isinstance(lost, Lost)
    assert "vLLM refuses the question" in lost.reason
    assert "1024" in lost.reason
    assert {identity: len(texts) for identity, texts in found.items()} == {q.id: 2 for q in asked if q is not asked[3]}

    with pytest.raises(BadInput, match="vLLM cannot sample like this: n must be 1"):
        list(engine.answer(asked, Sampling(2, 0.0, 4)))

    def breaks(*_):
        raise RuntimeError("out of memory")

    engine._llm.llm_engine.step, stock = breaks, engine._llm.llm_engine.step
    with pytest.raises(MachineError, match=r"vLLM has stopped \(RuntimeError: out of memory\)"):
        list(engine.answer(asked[:2], Sampling(1, 0.0, 4)))
    engine._llm.llm_engine.step = stock
