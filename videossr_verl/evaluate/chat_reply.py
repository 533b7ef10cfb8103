"""Reads the answer of a server with OpenAI's chat interface. It must be bounded, whole and text; else this says why it
is not.
"""

from __future__ import annotations

import json
import time
import unicodedata
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

NOT_TEXT = {"Cc": "control character", "Cs": "half of a surrogate pair"}  # Unicode's categories
LAYOUT = "\n\r\t"


class NoAnswer(ValueError):
    """The error for a server that answered, but not the question. The message is a clause that tells why, in the
    server's words too.
    """


@dataclass(frozen=True)
class Reply:
    """A server's reply.

    Attributes:
        content: its body, at most one byte more than was allowed.
    """

    status: int
    headers: httpx.Headers
    content: bytes


async def post(client: httpx.AsyncClient, url: httpx.URL, body: bytes, most: int) -> Reply:
    """Posts JSON and returns the reply, of which it reads at most `most` + 1 bytes. Follows no redirect.

    Raises:
        httpx.TransportError: there is no connection, or it breaks.
    """
    headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
    async with client.stream("POST", url, content=body, headers=headers) as response:
        content = bytearray()
        async for chunk in response.aiter_raw():  # packed bytes stay packed, because a few may stand for many
            content += chunk
            if len(content) > most:
                break
        return Reply(response.status_code, response.headers, bytes(content[: most + 1]))


def read_completions(reply: Reply, samples: int, most: int) -> list[str]:
    """Returns the texts of the reply's `samples` choices.

    Raises:
        NoAnswer: it is no chat completion with so many texts in `most` bytes.
    """
    encoding = reply.headers.get("content-encoding", "identity")
    if reply.status != 200:
        raise NoAnswer(f"the server answered with status {reply.status} and no completion")
    if encoding != "identity":
        raise NoAnswer(f"the server packed its answer ({encoding}), which was not asked for")
    if len(reply.content) > most:
        raise NoAnswer(f"the server's answer has more than {most} bytes")
    try:
        completion = json.loads(reply.content)
    except (ValueError, RecursionError):
        raise NoAnswer(f"the server's answer is no JSON: {_beginning(reply.content)}") from None
    choices = completion.get("choices") if isinstance(completion, dict) else None
    if not isinstance(choices, list):
        raise NoAnswer(f"the server's answer is no chat completion: {error_words(reply.content)}")
    if len(choices) != samples:
        raise NoAnswer(f"the server gave {len(choices)} completions where {samples} were asked for")
    return [_text(choice) for choice in choices]


def _text(choice: Any) -> str:
    message = choice.get("message") if isinstance(choice, dict) else None
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        why = choice.get("finish_reason") if isinstance(choice, dict) else None
        raise NoAnswer(f"the completion's content is {type(text).__name__}, no text (finish_reason: {why})")
    for character in text:
        if character not in LAYOUT and (what := NOT_TEXT.get(unicodedata.category(character))):
            raise NoAnswer(f"the completion has a {what} in it, U+{ord(character):04X}: it is no text")
    return text


def error_words(content: bytes) -> str:
    """Returns what a server says of an error, in OpenAI's or another usual form, or else the beginning of what it
    sent.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return _beginning(content)
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(key):
            found = found[key]
    return found if isinstance(found, str) else _beginning(content)


def _beginning(content: bytes) -> str:
    return content[:1000].decode(errors="replace").strip() or "nothing"


def asked_to_wait(headers: httpx.Headers) -> float | None:
    """Returns the seconds that the server asks to wait, at least 0, or None if it says nothing that can be read."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        try:
            seconds = parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time()
        except (KeyError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if seconds == seconds else None
