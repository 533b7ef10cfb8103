"""`videossr eval` loses no answer that was paid for, whatever ends it, and asks nothing that it has."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time

import campaign_answers
import campaign_servers
import pytest
from eval_runs import answers, run_eval
from openai_server import ANSWER, serving

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.answers import Answer, append_answer, read_answers, read_outcomes
from videossr_verl.evaluate.asking import LOST_IN_A_ROW
from videossr_verl.evaluate.shown_words import shown_words

KEY = "sk-3Jw8QzT5vNpL2xKd"


@pytest.fixture(scope="module")
def data(dataset_folder):
    """24 questions."""
    return dataset_folder / "train.parquet"


@pytest.fixture(scope="module")
def campaign_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("campaigns")


def after(count, manner, then):
    """`manner` for the first `count` questions, and `then` for all others."""
    numbers = itertools.count()
    return lambda _: manner if next(numbers) < count else then


@pytest.mark.parametrize("campaign", [campaign_servers, campaign_answers])
def test_a_few_tries_of_a_campaign(campaign, campaign_folder):
    seed = random.randrange(10**6)
    assert [what for what, survived in campaign.run(campaign_folder, 5, seed) if not survived] == []


def test_frames_are_sent_with_their_times(data, tmp_path):
    with serving() as server:
        assert run_eval(data, tmp_path / "out", server.url, KEY, "--limit", "6")[0] == 0
    assert len(answers(tmp_path / "out")) == len(server.asked) == 6
    for *_, body in server.asked:
        sent = json.loads(body)
        content = sent["messages"][1]["content"]
        pictures = [part for part in content if part["type"] == "image_url"]
        times = [part for part in content if part.get("text", "").endswith(" seconds>")]
        assert len(pictures) >= len(times) > 1
        assert all(part["image_url"]["url"].startswith("data:image/jpeg;base64,") for part in pictures)
        assert (sent["temperature"], sent["n"], sent["max_tokens"]) == (0, 1, 128)


def test_what_is_lost_is_told_and_asked_again_and_what_is_there_is_not(data, tmp_path):
    with serving(after(4, "html", "good")) as server:
        code, said, _ = run_eval(data, tmp_path, server.url, KEY)
        lost = {i for i, entry in answers(tmp_path).items() if entry["answer"] == ""}
        assert (code, len(lost), len(answers(tmp_path))) == (0, 4, 24)
        assert "\n4 of 24 questions have no answer: 4 lost (first: the server's answer is no JSON: <html>" in said
        assert said.rstrip().endswith("each earns 0; the same command asks the lost ones again")
        assert said == (tmp_path / "scores.md").read_text() + "\n"
        assert json.loads((tmp_path / "scores.json").read_text())["lost"] == 4
        server.asked.clear()
        code, said, _ = run_eval(data, tmp_path, server.url, KEY)
        assert (code, len(server.asked)) == (0, 4)
        assert "no answer" not in said
        assert set(read_answers(tmp_path / "answers.jsonl").values()) == {ANSWER}
        run_eval(data, tmp_path, server.url, KEY)
        assert len(server.asked) == 4


def test_a_video_that_cannot_be_shown_is_not_asked_and_not_tried_again(data, tmp_path):
    (tmp_path / "empty").mkdir()
    with serving() as server:
        for _ in range(2):
            root = ["--data-root", str(tmp_path / "empty")]
            code, said, _ = run_eval(data, tmp_path / "out", server.url, KEY, "--limit", "3", *root)
            assert code == 0
            assert "| **mean** | 0.000 |" in said
            assert "3 of 3 questions have no answer: 3 whose video cannot be shown (first: " in said
            assert [entry.get("lost") for entry in answers(tmp_path / "out").values()] == [None] * 3
            assert len((tmp_path / "out" / "answers.jsonl").read_text().splitlines()) == 3
        assert server.asked == []


def test_a_server_that_only_spoils_is_not_paid_for_long(data, tmp_path):
    with serving("html") as server:
        code, _, message = run_eval(data, tmp_path, server.url, KEY)
        assert code == 2
        assert message.splitlines()[-1].startswith(
            f"videossr: {LOST_IN_A_ROW} questions in a row got no answer, the last"
        )
        assert len(answers(tmp_path)) == LOST_IN_A_ROW
        server.manner = "good"
        assert run_eval(data, tmp_path, server.url, KEY)[0] == 0
        assert set(read_answers(tmp_path / "answers.jsonl").values()) == {ANSWER}


@pytest.mark.parametrize("manner", ["status 500", "status 404", "status 401", "hangs up", "redirect 308"])
def test_what_ends_the_run_keeps_what_was_answered(manner, data, tmp_path):
    with serving(after(10, "good", manner)) as server:
        code, _, message = run_eval(data, tmp_path, server.url, KEY, timeout=1.4)
        assert code == 2
        assert "the answers so far are kept, and the same command goes on" in message.splitlines()[-1]
        assert {entry["answer"] for entry in answers(tmp_path).values() if "error" not in entry} == {ANSWER}
        assert len([entry for entry in answers(tmp_path).values() if "error" not in entry]) == 10


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_was_answered_and_waits_for_nothing(number, code, data, tmp_path):
    with serving(after(10, "good", "silence")) as server:
        command = ["eval", "--model", "m", "--data", str(data), "--out", str(tmp_path), "--base-url", server.url]
        environment = os.environ | {"OPENAI_API_KEY": KEY}
        running = [sys.executable, "-m", "videossr_verl.cli", *command]
        asking = subprocess.Popen(running, env=environment, stderr=subprocess.PIPE, text=True)
        while len(server.asked) < 18:  # 8 wait for an answer
            assert asking.poll() is None
            time.sleep(0.01)
        asking.send_signal(number)
        message = asking.communicate(timeout=10)[1]
        assert asking.returncode == code
        assert message.splitlines()[-1].endswith("the same command goes on from here")
        assert "Traceback" not in message
        assert set(read_answers(tmp_path / "answers.jsonl").values()) == {ANSWER}
        assert len(answers(tmp_path)) == 10
        server.manner = "good"
        server.asked.clear()
        assert run_eval(data, tmp_path, server.url, KEY)[0] == 0
        assert len(server.asked) == 14


@pytest.mark.parametrize("name", ["my runs (2)", "jürgen", "a=b#c", "it's", "-out", "100%{}$HOME\\n"])
def test_any_path_works(name, data, corpus_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "train.parquet").write_bytes(data.read_bytes())
    (tmp_path / name / "videos").symlink_to(corpus_folder)
    options = ["--limit", "2", f"--data-root={name}/videos"]
    with serving() as server:
        code, _, message = run_eval(f"{name}/train.parquet", f"{name}/out", server.url, KEY, *options)
    assert code == 0, message
    assert [entry["answer"] for entry in answers(tmp_path / name / "out").values()] == [ANSWER] * 2


def test_another_server_is_noticed_and_no_secret_stored(data, tmp_path):
    with serving() as server, serving() as other:
        url = server.url.replace("//", "//user:passw%40rd@") + "/?key=querykey"
        assert run_eval(data, tmp_path, url, KEY, "--limit", "2")[0] == 0
        assert json.loads((tmp_path / "eval.json").read_text())["server"] == server.url
        assert run_eval(data, tmp_path, server.url, KEY, "--limit", "2")[0] == 0  # the same without its secrets
        code, _, message = run_eval(data, tmp_path, other.url, KEY, "--limit", "2")
        assert (code, other.asked) == (2, [])
        assert "holds answers with another server" in message


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda out: out.write_text("a file"), "File exists; give another"),
        (lambda out: out.joinpath("answers.jsonl").mkdir(parents=True), "cannot be read: "),
        (lambda out: write(out / "eval.json", b"[]"), "is no JSON object"),
        (lambda out: write(out / "eval.json", b"[" * 100_000), "cannot be used"),
        (lambda out: write(out / "eval.json", b"\xff"), "cannot be used"),
        (lambda out: write(out / "answers.jsonl", b'{"id": 0, "answer": "a"}\n{"id": 1}\n'), "line 2 of "),
    ],
)
def test_a_folder_that_cannot_be_used_costs_no_question(break_it, sentence, data, tmp_path):
    out = tmp_path / "out"
    break_it(out)
    with serving() as server:
        code, _, message = run_eval(data, out, server.url, KEY)
    assert (code, server.asked) == (2, [])
    assert sentence in message
    assert message.count("\n") == 1


def test_where_nothing_can_be_written_nothing_is_asked(data):
    """/proc takes no folder, not even from root."""
    with serving() as server:
        code, _, message = run_eval(data, "/proc/self/out", server.url, KEY)
    assert (code > 0, server.asked) == (True, [])
    assert message.startswith("videossr: ")
    assert message.count("\n") == 1


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


TEXTS = [
    "1,2,3",
    "",
    "\ud800 lone",
    "\x00\x1b[2J\x85",
    "line\u2028separator\u2029s\x0b\x0c\x1c",
    "\r\n\n",
    "日本\U0001f600",
]


def test_any_text_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "answers.jsonl"
    for identity, text in enumerate(TEXTS):
        append_answer(file, identity, Answer(text))
    assert read_answers(file) == dict(enumerate(TEXTS))
    assert [json.loads(line)["answer"] for line in file.read_text("utf-8").splitlines()] == TEXTS


def test_a_file_cut_at_any_byte_keeps_its_whole_lines(tmp_path):
    file = tmp_path / "answers.jsonl"
    lines = [json.dumps({"id": i, "answer": text}, ensure_ascii=False).encode() for i, text in enumerate(["ü", "日本"])]
    whole = b"".join(line + b"\n" for line in lines)
    for cut in range(len(whole) + 1):
        file.write_bytes(whole[:cut])
        kept = {i: text for i, text in enumerate(["ü", "日本"]) if len(b"\n".join(lines[: i + 1])) <= cut}
        assert read_answers(file) == kept
        append_answer(file, 7, Answer("x"))
        assert read_answers(file) == kept | {7: "x"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"id": 0, "answer": "a"}\n\xff\n', "line 2 of .* is not"),
        (b'{"id": 0, "answer": "a"}\n\n', "line 2 of .* is not"),
        (b"[" * 100_000 + b"\n", "line 1 of .* is not"),
        (b'{"id": true, "answer": "a"}\n', "line 1 of .* needs a whole number as id"),
        (b'{"id": 0, "answer": "", "error": 7}\n', "line 1 of .* needs text as error"),
        (b'{"id": 0, "answer": ""}\n{"id": 0, "answer": "a"}\n', "line 2 of .* answers id 0 a second time"),
        (b"\0" * 100 + b'\n{"id": 0, "answer": "a"}\n', "line 1 of .* is not"),
    ],
)
def test_a_file_edited_by_hand_is_told_by_its_line(content, sentence, tmp_path):
    (tmp_path / "answers.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=sentence) as caught:
        read_answers(tmp_path / "answers.jsonl")
    assert str(caught.value).isprintable()


def test_a_later_line_takes_the_place_of_a_lost_one(tmp_path):
    file = tmp_path / "answers.jsonl"
    for answer in (Answer("", "html", lost=True), Answer("", "silence", lost=True), Answer("1,2,3")):
        append_answer(file, 0, answer)
        assert read_outcomes(file) == {0: answer}


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("bad key sk-abcdefgh!", ["sk-abcdefgh"], "bad key ***!"),
        ("it begins with SK-AB and ends %66gh", ["sk-abcdefgh"], "it begins with *** and ends fgh"),
        ("%2573k-abcdefgh or &amp;#115;k-abcdefgh", ["sk-abcdefgh"], "*** or ***"),
        ("ab about abc cab", ["ab"], "*** about abc cab"),
        ("İ sk-abcdefgh", ["sk-abcdefgh"], "i̇ ***"),
        ("two\nlines\x1b[2J", [], "two lines\\x1b[2J"),
        ("x" * 5000, ["secret"], "x" * 297 + "..."),
    ],
)
def test_words_are_shown_without_secrets(text, secrets, shown):
    assert shown_words(text, secrets) == shown
