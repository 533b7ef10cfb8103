"""Gets answers from any server with OpenAI's chat interface, however it behaves.

An answer has a limit in seconds, with all tries and waits, and a limit in bytes. An error about one question costs that
question. An error about all of them ends the run, after the answers that are on their way.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NoReturn

import httpx

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.chat_reply import NoAnswer, Reply, asked_to_wait, error_words, post, read_completions
from videossr_verl.evaluate.chat_request import chat_request
from videossr_verl.evaluate.engine import TIMEOUT, Lost, Sampling
from videossr_verl.evaluate.questions import Question
from videossr_verl.evaluate.server import KEY, read_server
from videossr_verl.evaluate.shown_words import shown_words, without_secrets

AT_ONCE = 8
RETRIES = 8  # after `RETRIED` and where there is no connection
RETRIED = {408, 409, 425, 429, *range(500, 600)}
REFUSALS = {400, 413, 422}  # codes that refuse one question: too long, too large, not understood
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds between tries; doubled each time
CONNECT = 10.0  # seconds for a connection
BYTES = 1 << 20  # the most for an answer, plus some for each token asked for
BYTES_PER_TOKEN = 64


class OpenAIEngine:
    """A server.

    Attributes:
        factor: frame sizes are multiples of it.
    """

    factor = 28

    def __init__(self, base_url: str, model: str, timeout: float = TIMEOUT, retries: int = RETRIES) -> None:
        """
        Args:
            base_url: address up to `/v1`; maybe with user and password, or with a query.
            model: its name there.
            timeout: seconds for one answer.
        """
        self._server = read_server(base_url)
        self._model, self._timeout, self._retries = model, timeout, retries
        self._answered = 0  # questions

    def answer(self, asked: Sequence[Question], how: Sampling) -> Iterator[tuple[int, list[str] | Lost]]:
        """Yields (id, completions) of each question, as they come.

        Raises:
            BadInput: the server cannot be had, refuses the key, does not know the model, or sends elsewhere.
        """
        waiting, running, failure = deque(asked), set(), None
        self._ending = asyncio.Event()  # once it is set, no question is tried again
        with asyncio.Runner() as runner:
            client = self._client()
            try:
                while running or (waiting and not failure):
                    while waiting and not failure and len(running) < AT_ONCE:
                        running.add(runner.get_loop().create_task(self._outcome(client, waiting.popleft(), how)))
                    done, running = runner.run(asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))
                    for task in done:
                        if error := task.exception():
                            failure = failure or error
                            self._ending.set()
                        else:
                            yield task.result()
            finally:
                runner.run(client.aclose())
        if failure:
            raise failure

    def _client(self) -> httpx.AsyncClient:
        for name in ("httpx", "httpcore"):  # these would log the whole address, and headers
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            return httpx.AsyncClient(
                follow_redirects=False,
                headers={"authorization": self._server.authorization},
                timeout=httpx.Timeout(None, connect=min(CONNECT, 0.9 * self._timeout)),
            )
        except (
            ValueError,
            OSError,
            ImportError,
            httpx.InvalidURL,
        ):  # not repeated: the text may hold a proxy's password
            raise BadInput(
                "the connection to the server cannot be prepared: correct the proxies or certificates that the "
                "environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR)"
            ) from None

    async def _outcome(
        self, client: httpx.AsyncClient, question: Question, how: Sampling
    ) -> tuple[int, list[str] | Lost]:
        body = await asyncio.to_thread(chat_request, question, self._model, how)
        most = BYTES + BYTES_PER_TOKEN * how.max_tokens * how.samples
        try:
            completions = read_completions(await self._reply(client, body, most), how.samples, most)
        except NoAnswer as error:
            return question.id, Lost(self._shown(str(error)))
        self._answered += 1
        return question.id, [without_secrets(text, self._server.secrets) for text in completions]

    async def _reply(self, client: httpx.AsyncClient, body: bytes, most: int) -> Reply:
        """Returns the first reply that is neither a refusal nor a trouble that passes.

        A server may be in trouble with one question alone, time after time. If it answered others since the last wait
        began, only this question is lost, not the run.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + self._timeout
        answered, trouble = self._answered, ""
        for retry in range(self._retries + 1):
            wait = None
            try:
                async with asyncio.timeout_at(end):
                    reply = await post(client, self._server.chat, body, most)
            except TimeoutError:
                if not trouble:
                    raise NoAnswer(f"the server gave no whole answer within {self._timeout:g} s") from None
                break
            except httpx.TransportError as error:
                trouble = f"cannot be reached, or breaks off: {self._shown(str(error) or type(error).__name__)}"
            else:
                if reply.status not in RETRIED:
                    self._check(reply)
                    return reply
                trouble, wait = self._status(reply), asked_to_wait(reply.headers)
            left = end - clock()
            if wait is not None and wait >= left:
                self._end(f"{trouble}; it asks to wait {wait:.0f} s, more than the {self._timeout:g} s of --timeout")
            if wait is None:
                wait = min(FIRST_WAIT * 2**retry, LONGEST_WAIT)
            if self._ending.is_set() or retry == self._retries or wait >= left:
                break
            answered = self._answered
            await self._pause(wait)
        if self._answered > answered:
            raise NoAnswer(f"the server {trouble}")
        self._end(trouble)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    def _check(self, reply: Reply) -> None:
        """Raises NoAnswer where a reply refuses one question, and BadInput where it refuses every one."""
        status = reply.status
        if status in (401, 403):
            self._end(f"refuses the key in ${KEY}, or the password in --base-url (status {status}); set the right one")
        if 300 <= status < 400:
            to = re.sub("//[^/]*@", "//", re.split("[?#]", reply.headers.get("location", "nowhere"))[0])
            self._end(
                f"redirects to {self._shown(to)} (status {status}), which is not followed: questions and key go to no "
                "other address; give the right one as --base-url"
            )
        if status == 404:
            self._end(f"{self._status(reply)} (is --base-url its address up to /v1, and the model known there?)")
        if status in REFUSALS:
            raise NoAnswer(f"the server {self._status(reply)}")
        if status >= 400:
            self._end(self._status(reply))

    def _status(self, reply: Reply) -> str:
        return f"answers with status {reply.status}: {self._shown(error_words(reply.content))}"

    def _shown(self, text: str) -> str:
        return shown_words(text, self._server.secrets)

    def _end(self, trouble: str) -> NoReturn:
        raise BadInput(f"the server {self._server.shown} {trouble}") from None
