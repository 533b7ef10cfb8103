"""Evaluation with the real vLLM and the tiny model, and against a server that misbehaves."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest

from reward_fns import compute_score
from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.evaluation import evaluate as module
from videossr_verl.evaluation.evaluate import EvalSettings, evaluate
from videossr_verl.evaluation.openai_engine import OpenAIEngine
from videossr_verl.evaluation.questions import questions, read_questions
from videossr_verl.evaluation.vllm_engine import VllmEngine

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

    def counted(self, questions, *how):
        asked.extend(q.id for q in questions)
        if len(asked) > 8 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise KeyboardInterrupt
        return stock(self, questions, *how)

    monkeypatch.setattr(VllmEngine, "answer", counted)
    monkeypatch.setattr(module, "BATCH", 8)
    how = settings(dataset_folder, corpus_folder, tmp_path / "out", model=str(tiny_model), max_tokens=12)
    with pytest.raises(KeyboardInterrupt):
        evaluate(how, VLLM)
    first = (tmp_path / "out" / "answers.jsonl").read_text()
    assert len(first.splitlines()) == 8
    with (tmp_path / "out" / "answers.jsonl").open("a") as file:
        file.write('{"id": 9, "ans')  # cut off by the kill
    asked.clear()
    text = evaluate(how, VLLM)
    assert asked == [row["extra_info"]["index"] for row in rows[8:]]
    lines = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [row["extra_info"]["index"] for row in rows]
    assert (tmp_path / "out" / "answers.jsonl").read_text().startswith(first)

    # The score is our own reward of the same answers, and far above chance where the tiny model sees.
    told = json.loads((tmp_path / "out" / "scores.json").read_text())
    for subset in told["subsets"]:
        rewards = [
            compute_score(row["data_source"], line["answer"], row["reward_model"]["ground_truth"], row["extra_info"])
            for row, line in zip(rows, lines, strict=True)
            if row["data_source"] == f"videossr/{subset['subset']}"
        ]
        assert subset["reward"] == pytest.approx(sum(r["score"] for r in rewards) / len(rewards))
    reward = {subset["subset"]: subset["reward"] for subset in told["subsets"]}
    assert reward["temporal_jigsaw"] > 0.8
    assert "| temporal_jigsaw |" in text
    assert (tmp_path / "out" / "scores.png").read_bytes().startswith(b"\x89PNG")
    asked.clear()
    assert evaluate(how, VLLM) == text
    assert not asked

    with pytest.raises(BadInput, match="holds answers with another max_tokens"):
        evaluate(settings(dataset_folder, corpus_folder, tmp_path / "out", model=str(tiny_model), max_tokens=9), VLLM)


@contextmanager
def server(replies):
    """A server with OpenAI's interface: `replies` yields statuses (200 answers "341562", a number sleeps)."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = next(replies)
            seen.append((status, body, self.headers["Authorization"]))
            message = {"role": "assistant", "content": "341562"}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
            answer["choices"] = [{"index": i, "finish_reason": "stop", "message": message} for i in range(body["n"])]
            error = {"error": {"message": f"no, {self.headers['Authorization']}"}}
            data = json.dumps(answer if status == 200 else error).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/v1", seen
    finally:
        running.shutdown()


def statuses(*first, then=200):
    yield from first
    while True:
        yield then


def test_a_server_is_asked_again_after_429_and_500(dataset_folder, corpus_folder, rows, tmp_path):
    with server(statuses(429, 500, 503)) as (url, seen):
        how = settings(dataset_folder, corpus_folder, tmp_path / "out", base_url=url, limit=6)
        evaluate(how)
    assert sum(status == 200 for status, *_ in seen) == 6
    assert len(seen) == 9
    assert len((tmp_path / "out" / "answers.jsonl").read_text().splitlines()) == 6
    content = seen[-1][1]["messages"][1]["content"]
    pictures = [part for part in content if part["type"] == "image_url"]
    sent = {len([p for p in body["messages"][1]["content"] if p["type"] == "image_url"]) for _, body, _ in seen}
    assert len(pictures) in sent
    assert all(part["image_url"]["url"].startswith("data:image/jpeg;base64,") for part in pictures)
    assert any(part.get("text", "").endswith(" seconds>") for part in content)
    assert all(body["temperature"] == 0 for _, body, _ in seen)


def test_a_wrong_key_is_told_and_not_shown(dataset_folder, corpus_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    data = str(dataset_folder / "train.parquet")
    with server(statuses(then=401)) as (url, seen):
        command = ["eval", "--model", "m", "--data", data, "--data-root", str(corpus_folder), "--base-url", url]
        assert main([*command, "--out", str(tmp_path / "out"), "--limit", "2"]) == 2
    error = capsys.readouterr().err
    assert seen[0][2] == "Bearer sk-very-secret"
    assert "refuses the key in $OPENAI_API_KEY (status 401)" in error
    assert "secret" not in error
    assert error.splitlines()[-1].startswith("videossr: the server http://127.0.0.1:")


@pytest.mark.parametrize("status", [500, 400])
def test_a_server_that_keeps_failing_ends_the_run_and_loses_nothing(
    status, dataset_folder, corpus_folder, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr("videossr_verl.evaluation.openai_engine.RETRIES", 1)
    monkeypatch.setattr(OpenAIEngine.__init__, "__defaults__", (1, 300.0))
    with server(statuses(200, 200, then=status)) as (url, _):
        how = settings(dataset_folder, corpus_folder, tmp_path / "out", base_url=url, limit=6)
        with pytest.raises(BadInput, match=f"answers with status {status}: .*the same command goes on"):
            evaluate(how)
    assert len((tmp_path / "out" / "answers.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"limit": 0}, "limit is 0, must be at least 1"),
        ({"max_tokens": 0}, "max tokens is 0, must be at least 1"),
        ({"temperature": -1.0}, "temperature is -1, must be at least 0"),
        ({"data_root": "nowhere"}, "data root 'nowhere' is not a folder"),
    ],
)
def test_wrong_settings(changes, sentence, dataset_folder, corpus_folder, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        evaluate(settings(dataset_folder, corpus_folder, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_no_server(dataset_folder, corpus_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(OpenAIEngine.__init__, "__defaults__", (0, 5.0))
    how = settings(dataset_folder, corpus_folder, tmp_path / "out", base_url="http://127.0.0.1:9/v1", limit=1)
    with pytest.raises(BadInput, match="cannot be reached or does not answer within 5 s"):
        evaluate(how)


def test_a_video_that_is_gone_counts_as_wrong(dataset_folder, rows, tmp_path):
    (tmp_path / "empty").mkdir()
    with server(statuses()) as (url, _):
        text = evaluate(settings(dataset_folder, tmp_path / "empty", tmp_path / "out", base_url=url, limit=3))
    lines = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()]
    assert all(line["answer"] == "" and "[missing]" in line["error"] for line in lines)
    assert "| **mean** | 0.000 |" in text


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
