"""Each manner of a server costs what it may: nothing, its question, or the run, in one sentence; never a secret."""

import time
from urllib.parse import quote

import pytest
from openai_server import ANSWER, ANY, MANNERS, NOTHING, QUESTION, basic, serving

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.engine import Lost, Sampling
from videossr_verl.evaluate.openai_engine import OpenAIEngine
from videossr_verl.evaluate.questions import Question

SECRET = "sk-9Vq2hXbT7LmZ4RwKc8Yd"
HOW = Sampling(samples=1, temperature=0, max_tokens=16)
TIMEOUT = 1.4  # seconds: for two tries, since the waits after them take 0.5 and 1
SLOW = ("silence", "a byte now and then", "headers, a byte now and then", "endless interim replies")


def question(number: int) -> Question:
    return Question(number, [{"role": "user", "content": f"question {number}"}], [], [])


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def outcomes(url, count=1, timeout=TIMEOUT, how=HOW):
    return dict(OpenAIEngine(url, "m", timeout).answer([question(n) for n in range(count)], how))


def text_of(asked):
    return asked["messages"][0]["content"][0]["text"]


def shows_no_part(text, secret=SECRET, size=4):
    shown = {secret[i : i + size].lower() for i in range(len(secret) - size + 1) if secret[i : i + size] in text}
    return not shown and text.isprintable() and len(text) < 800


@pytest.mark.parametrize("manner", MANNERS)
def test_what_a_manner_costs(manner):
    with serving() as other, serving(manner, other.url) as server:
        start = time.monotonic()
        try:
            (found,) = outcomes(server.url, timeout=0.4 if manner in SLOW else TIMEOUT).values()
            message = found.reason if isinstance(found, Lost) else ""
            costs = QUESTION if isinstance(found, Lost) else NOTHING
        except BadInput as error:
            message, costs = str(error), "the run"
            assert message.startswith(f"the server {server.url} ")
        assert MANNERS[manner].costs in (costs, ANY), message
        assert shows_no_part(message)
        assert time.monotonic() - start < TIMEOUT + 5
        assert not other.asked
        assert server.sent < 32 << 20  # of 64 MB; what the system buffers counts as sent
        assert {method for _, method, *_ in server.asked} == {"POST"}


@pytest.mark.parametrize("manner", ["html", "two choices", "status 400", "silence"])
def test_others_are_answered(manner):
    chosen = {"question 3": manner}
    with serving(lambda asked: chosen.get(text_of(asked), "good")) as server:
        found = outcomes(server.url, 20)
    assert isinstance(found.pop(3), Lost)
    assert found == {n: [ANSWER] for n in range(20) if n != 3}


def test_a_question_that_a_server_never_survives_costs_itself_where_others_are_answered():
    """It is in trouble with this one each time; the others are answered meanwhile, and after."""

    def choose(asked):
        if text_of(asked) == "question 0":
            return "status 500"
        time.sleep(0.02)
        return "good"

    with serving(choose) as server:
        found = dict(OpenAIEngine(server.url, "m", 60, retries=1).answer([question(n) for n in range(200)], HOW))
    assert [n for n, outcome in found.items() if isinstance(outcome, Lost)] == [0]
    assert "status 500" in found[0].reason


def test_answers_on_their_way_are_waited_for_when_the_run_ends():
    def choose(asked):
        if text_of(asked) != "question 0":
            time.sleep(0.2)
            return "good"
        return "status 401"

    got = []
    with serving(choose) as server:
        answering = OpenAIEngine(server.url, "m", 5).answer([question(n) for n in range(20)], HOW)
        with pytest.raises(BadInput, match="refuses the key"):
            got.extend(answering)
    assert sorted(got) == [(n, [ANSWER]) for n in range(1, 8)]
    assert len(server.asked) == 8


def test_trouble_that_passes_is_waited_for():
    statuses = iter(["status 500", "asks to wait 1 ms", "asks to wait 1 ms", "good"])
    with serving(lambda asked: next(statuses)) as server:
        assert outcomes(server.url, timeout=30) == {0: [ANSWER]}


def test_as_many_completions_as_were_asked_for():
    with serving() as server:
        assert outcomes(server.url, how=Sampling(3, 1.0, 16)) == {0: [ANSWER] * 3}


@pytest.mark.parametrize(
    ("address", "secrets", "authorization"),
    [
        ("http://{}:{}@", ("jürgen@here", "p/ss:w#rd"), basic("jürgen@here", "p/ss:w#rd")),
        ("http://{}@", ("token-in-front-of-it",), basic("token-in-front-of-it", "")),
    ],
)
def test_user_and_password_are_sent_and_not_shown(address, secrets, authorization):
    with serving("status 400") as server:
        url = server.url.replace("http://", address.format(*(quote(secret, safe="") for secret in secrets)))
        (lost,) = outcomes(url).values()
        assert server.asked[0][3] == authorization
        assert all(shows_no_part(lost.reason, secret) for secret in (*secrets, SECRET, authorization[6:]))
        server.manner = "status 500"
        with pytest.raises(BadInput) as caught:
            outcomes(url)
        assert all(shows_no_part(str(caught.value), secret) for secret in secrets)
        assert server.url in str(caught.value)


def test_a_query_is_sent_and_not_shown():
    with serving("status 404, no JSON") as server:
        with pytest.raises(BadInput) as caught:
            outcomes(f"{server.url}/?version=2026&key=abcdefghij#there")
        assert server.asked[0][2] == "/v1/chat/completions?version=2026&key=abcdefghij"
    assert shows_no_part(str(caught.value), "abcdefghij")


def test_a_key_in_an_answer_is_hidden():
    """What a model says is stored; the rest of it stays as it was."""
    with serving("answers with the key") as server:
        assert outcomes(server.url) == {0: [f"you are Bearer ***,\n{ANSWER}"]}


@pytest.mark.parametrize(
    "url",
    ["localhost:8000/v1", "", "ftp://h/v1", "http://", "http://user:hunter2@h:port/v1", "http://h:99999", "file:///x",
     "http://hunter2\x00/"],
)  # fmt: skip
def test_what_is_no_address(url):
    with pytest.raises(BadInput, match="--base-url is not the address of a server") as caught:
        OpenAIEngine(url, "m")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-geheimnisß", "sk-hunter2\nx"])
def test_a_key_that_no_header_can_carry(key, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(BadInput, match="characters that no key can have") as caught:
        OpenAIEngine("http://h/v1", "m")
    assert key[3:8] not in str(caught.value)


def test_a_key_with_a_line_end_is_a_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET}\n")
    with serving() as server:
        assert outcomes(server.url) == {0: [ANSWER]}
        assert server.asked[0][3] == f"Bearer {SECRET}"


def test_no_key_is_needed(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving("status 400") as server:
        (lost,) = outcomes(server.url).values()
        assert lost.reason == "the server answers with status 400: bad key Bearer none in your request"


@pytest.mark.parametrize("proxy", ["ftp://u:hunter2@h", "http://u:hunter2@h:port"])
def test_a_proxy_that_cannot_be_used(proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(BadInput, match="HTTP_PROXY") as caught:
        outcomes("http://localhost:9/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://[::1]:9/v1", "http://no-such-host.invalid/v1"])
def test_no_server(url):
    with pytest.raises(BadInput, match="cannot be reached"):
        outcomes(url)
