"""A server with OpenAI's chat interface on loopback, whose manners are a table and can be changed while it runs.

    with serving("html") as server:
        ...                       # server.url, server.asked; server.manner = "good"

`MANNERS` tells of each manner what it does and what a client should make of it.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

ANSWER = "341562"
ENDLESS = 64 << 20  # bytes after which even an endless manner ends, so that no test can fill a memory


@dataclass
class IllMannered:
    """A running server.

    Attributes:
        url: its address up to /v1.
        manner: the one that it has now, by name; or a function that chooses one for each question.
        other: address of another server, for redirects.
        asked: (manner, method, path, authorization, body) of each request.
        sent: bytes of bodies that clients took.
        stopped: set at the end, and ends whatever waits.
    """

    manner: str | Callable[[dict[str, Any]], str]
    other: str = ""
    url: str = ""
    asked: list[tuple[str, str, str, str, bytes]] = field(default_factory=list)
    sent: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)


class Wire(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    home: IllMannered

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        self.question: dict[str, Any] = json.loads(body or b"{}")
        self.key = self.headers["authorization"] or ""
        manner = self.home.manner if isinstance(self.home.manner, str) else self.home.manner(self.question)
        self.home.asked.append((manner, self.command, self.path, self.key, body))
        try:
            MANNERS[manner].behave(self)
        except OSError:
            self.close_connection = True  # the client has had enough

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def body(self, content: bytes) -> None:
        self.wfile.write(content)
        self.home.sent += len(content)

    def send(self, status: int, content: str | bytes, **headers: str) -> None:
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(status, {"content-type": "application/json", "content-length": str(len(data))} | named)
        self.body(data)

    def complete(self, *contents: Any, **changes: Any) -> None:
        """A chat completion with a choice for each content."""
        choices = [
            {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
            for i, content in enumerate(contents)
        ]
        self.send(200, json.dumps({"id": "x", "object": "chat.completion", "choices": choices} | changes))


@dataclass(frozen=True)
class Manner:
    """One way to behave.

    Attributes:
        behave: answers the question on the wire.
        costs: "nothing" (an answer comes), "the question" (it is lost), "the run" (it ends with a sentence), or
            "any of these" as it happens.
    """

    behave: Callable[[Wire], None]
    costs: str


def _good(wire: Wire) -> None:
    wire.complete(*[ANSWER] * wire.question.get("n", 1))


def _error(status: int, words: Callable[[str], str] = lambda key: f"bad key {key} in your request") -> Callable:
    """A status, with words that repeat the key."""
    return lambda wire: wire.send(status, json.dumps({"error": {"message": words(wire.key), "type": "x"}}))


def _body(content: str | bytes, **headers: str) -> Callable[[Wire], None]:
    return lambda wire: wire.send(200, content, **headers)


def _redirect(status: int, to: Callable[[Wire], str]) -> Callable[[Wire], None]:
    return lambda wire: wire.send(status, "", location=to(wire))


def _elsewhere(wire: Wire) -> str:
    return f"{wire.home.other}/chat/completions?key={wire.key}"


def _endless_body(wire: Wire) -> None:
    wire.head(200, {"content-type": "application/json", "connection": "close"})
    for _ in range(ENDLESS >> 16):
        wire.body(b" " * (1 << 16))


def _endless_headers(wire: Wire) -> None:
    wire.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(ENDLESS >> 10):
        wire.wfile.write(b"x-%d: " % number + b"y" * 1000 + b"\r\n")


def _endless_interim(wire: Wire) -> None:
    while not wire.home.stopped.wait(0.01):
        wire.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\n")


def _drip(wire: Wire) -> None:
    wire.head(200, {"content-length": "100000"})
    while not wire.home.stopped.wait(0.02):
        wire.body(b" ")


def _drip_headers(wire: Wire) -> None:
    wire.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while not wire.home.stopped.wait(0.02):
        wire.wfile.write(b"y")


def _silence(wire: Wire) -> None:
    wire.home.stopped.wait()


def _cut(wire: Wire) -> None:
    wire.head(200, {"content-length": "1000"})
    wire.body(b'{"id": "x", "choi')
    wire.close_connection = True


def _hang_up(wire: Wire) -> None:
    wire.close_connection = True


def _reset(wire: Wire) -> None:
    wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.connection.shutdown(socket.SHUT_RD)
    wire.close_connection = True


def _no_http(wire: Wire) -> None:
    wire.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n" * 100)
    wire.close_connection = True


def _bomb(wire: Wire) -> None:
    wire.send(200, _bomb_bytes(), content_encoding="gzip")


@cache
def _bomb_bytes() -> bytes:
    return gzip.compress(b" " * ENDLESS, 9)


def _choice(choice: Any) -> Callable[[Wire], None]:
    return lambda wire: wire.send(200, json.dumps({"id": "x", "choices": [choice]}))


def _bare(key: str) -> str:
    return key.removeprefix("Bearer ").removeprefix("Basic ")


def _changed_bytes(wire: Wire) -> None:
    """A good reply with some bytes changed, put in or left out."""
    rng = random.Random(len(wire.home.asked))
    body = json.dumps({"choices": [{"message": {"content": ANSWER}}]}).encode()
    reply = bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(reply))
        reply[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    wire.wfile.write(reply)
    wire.close_connection = True


QUESTION, RUN, NOTHING, ANY = "the question", "the run", "nothing", "any of these"
MANNERS: dict[str, Manner] = {
    "good": Manner(_good, NOTHING),
    "answers with other fields": Manner(lambda wire: wire.complete(ANSWER, usage=None, model=7), NOTHING),
    "answers in two lines": Manner(lambda wire: wire.complete(f"I think:\n\t{ANSWER}\r\n\u2028"), NOTHING),
    "answers with the key": Manner(lambda wire: wire.complete(f"you are {wire.key},\n{ANSWER}"), NOTHING),
    "answers nothing": Manner(lambda wire: wire.complete(""), NOTHING),
    # What is no answer.
    "html": Manner(_body("<html>log in</html>", content_type="text/html"), QUESTION),
    "half json": Manner(_body('{"id": "x", "choices": [{"index": 0, "mess'), QUESTION),
    "empty": Manner(_body(""), QUESTION),
    "null": Manner(_body("null"), QUESTION),
    "list": Manner(_body("[]"), QUESTION),
    "number": Manner(_body("7"), QUESTION),
    "huge number": Manner(_body("1" * 10_000), QUESTION),
    "deep json": Manner(_body("[" * 200_000), QUESTION),
    "not utf-8": Manner(_body(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'), QUESTION),
    "an event stream": Manner(_body('data: {"choices": []}\n\ndata: [DONE]\n'), QUESTION),
    "error with status 200": Manner(_body('{"choices": null, "error": {"message": "overloaded"}}'), QUESTION),
    "no choices": Manner(_body('{"id": "x"}'), QUESTION),
    "choices are text": Manner(_body('{"choices": "341562"}'), QUESTION),
    "none of the choices": Manner(lambda wire: wire.complete(), QUESTION),
    "two choices": Manner(lambda wire: wire.complete(ANSWER, ANSWER), QUESTION),
    "choice is null": Manner(_choice(None), QUESTION),
    "message is null": Manner(_choice({"index": 0, "message": None}), QUESTION),
    "message is a list": Manner(_choice({"index": 0, "message": [ANSWER]}), QUESTION),
    "content is missing": Manner(_choice({"index": 0, "message": {"role": "assistant"}}), QUESTION),
    "content is null": Manner(lambda wire: wire.complete(None), QUESTION),
    "content is a number": Manner(lambda wire: wire.complete(341562), QUESTION),
    "content is a list": Manner(lambda wire: wire.complete([{"type": "text", "text": ANSWER}]), QUESTION),
    "half a surrogate pair": Manner(lambda wire: wire.complete(f"\ud800 {ANSWER}"), QUESTION),
    "control characters": Manner(lambda wire: wire.complete(f"\x1b[2J\x00 {ANSWER}\x85"), QUESTION),
    "huge answer": Manner(lambda wire: wire.complete("1," * (8 << 20)), QUESTION),
    "endless answer": Manner(_endless_body, QUESTION),
    "gzip bomb": Manner(_bomb, QUESTION),
    "status 101": Manner(lambda wire: wire.head(101, {"upgrade": "x", "connection": "upgrade"}), RUN),
    "status 204": Manner(lambda wire: wire.head(204, {}), QUESTION),
    "status 206": Manner(lambda wire: wire.send(206, "{}"), QUESTION),
    # What takes too long.
    "silence": Manner(_silence, QUESTION),
    "a byte now and then": Manner(_drip, QUESTION),
    "headers, a byte now and then": Manner(_drip_headers, QUESTION),
    "endless interim replies": Manner(_endless_interim, QUESTION),
    # What a server refuses: this question, or all.
    "status 400": Manner(_error(400), QUESTION),
    "status 413": Manner(_error(413), QUESTION),
    "status 422": Manner(_error(422), QUESTION),
    "status 400, first part of the key": Manner(_error(400, lambda key: f"not {_bare(key)[:8]}..."), QUESTION),
    "status 400, last part of the key": Manner(_error(400, lambda key: f"not ...{_bare(key)[-8:]}"), QUESTION),
    "status 400, key in an address": Manner(_error(400, lambda key: f"see /?k={quote(quote(key))}"), QUESTION),
    "status 400, key in capitals": Manner(_error(400, lambda key: key.upper()), QUESTION),
    "status 400, terminal's commands": Manner(_error(400, lambda key: "\x1b[2J\x07\nvideossr: all is well"), QUESTION),
    "status 401": Manner(_error(401), RUN),
    "status 402": Manner(_error(402), RUN),
    "status 403": Manner(_error(403), RUN),
    "status 404": Manner(_error(404), RUN),
    "status 404, no JSON": Manner(lambda wire: wire.send(404, f"<h1>no {wire.path}</h1>{wire.key}"), RUN),
    "status 405": Manner(_error(405), RUN),
    "status 418": Manner(_error(418), RUN),
    "status 429": Manner(_error(429), RUN),
    "status 500": Manner(_error(500), RUN),
    "status 503, endless": Manner(lambda wire: wire.send(503, "no " * 2_000_000), RUN),
    "status 799": Manner(_error(799), RUN),
    "asks to wait 1 ms": Manner(lambda wire: wire.send(429, "{}", retry_after_ms="1"), RUN),
    "asks to wait a day": Manner(lambda wire: wire.send(429, "{}", retry_after="86400"), RUN),
    "asks to wait until 2099": Manner(
        lambda wire: wire.send(503, "{}", retry_after="Thu, 01 Jan 2099 00:00:00 GMT"), RUN
    ),
    "asks to wait without end": Manner(lambda wire: wire.send(503, "{}", retry_after="inf"), RUN),
    # Broken connections.
    "cuts its answer": Manner(_cut, RUN),
    "hangs up": Manner(_hang_up, RUN),
    "resets": Manner(_reset, RUN),
    "no HTTP": Manner(_no_http, RUN),
    "endless headers": Manner(_endless_headers, RUN),
    "changed bytes": Manner(_changed_bytes, ANY),
    # Redirects: nowhere else goes the key, nor a question.
    **{f"redirect {status}": Manner(_redirect(status, _elsewhere), RUN) for status in (300, 301, 302, 303, 307, 308)},
    "redirect to a file": Manner(_redirect(307, lambda wire: "file:///etc/passwd"), RUN),
    "redirect in a loop": Manner(_redirect(307, lambda wire: wire.path), RUN),
    "redirect to no address": Manner(_redirect(302, lambda wire: "http://[:::"), RUN),
    "redirect to nowhere": Manner(lambda wire: wire.send(302, ""), RUN),
}  # fmt: skip


def basic(user: str, password: str) -> str:
    """The header `authorization` of basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # connections that come at once

    def handle_error(self, *_: object) -> None:
        """Says nothing: clients that hang up are what it is for."""


@contextmanager
def serving(manner: str | Callable[[dict[str, Any]], str] = "good", other: str = "") -> Iterator[IllMannered]:
    """A server on a free port, until the body ends."""
    home = IllMannered(manner, other)
    running = Listener(("127.0.0.1", 0), type("Here", (Wire,), {"home": home}))
    home.url = f"http://127.0.0.1:{running.server_port}/v1"
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield home
    finally:
        home.stopped.set()
        running.shutdown()
        running.server_close()
