"""Splits a server's address, as a user gives it, into what is asked, what may be shown, and what is secret."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass

import httpx

from videossr_verl.errors import BadInput

KEY = "OPENAI_API_KEY"  # an environment variable; some servers need no key


@dataclass(frozen=True)
class Server:
    """The server from which answers come.

    Attributes:
        shown: the address without user, password and query: to print and to store.
        chat: where chat completions are asked, query included.
        authorization: the header of this name.
        secrets: what must be neither printed nor stored.
    """

    shown: str
    chat: httpx.URL
    authorization: str
    secrets: tuple[str, ...]


def read_server(base_url: str) -> Server:
    """Returns the server at `base_url`, an address up to `/v1`, and the key in $OPENAI_API_KEY.

    A user and password in the address are sent as such (basic authentication), and the key is not.

    Raises:
        BadInput: no address of a server, or a key that no header can carry. Neither is repeated.
    """
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) > 65535:
        raise BadInput("--base-url is not the address of a server; give one like http://localhost:8000/v1")
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise BadInput(f"the key in ${KEY} has characters that no key can have; set the right one")
    plain = url.copy_with(username="", password="", fragment=None, path=url.path.rstrip("/"))
    secrets = [value for _, value in url.params.multi_items() if len(value) >= 4]
    if url.userinfo:
        pair = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        authorization, secrets = f"Basic {pair}", [*secrets, pair, url.username, url.password]
    else:
        authorization, secrets = f"Bearer {key or 'none'}", [*secrets, key]
    return Server(
        shown=str(plain.copy_with(query=None)),
        chat=plain.copy_with(path=plain.path.rstrip("/") + "/chat/completions"),
        authorization=authorization,
        secrets=tuple(secret for secret in secrets if secret),
    )
