"""Asks a chat endpoint in OpenAI's form (vLLM, Ollama, llama.cpp, a cloud), with retries.

What may pass is tried again: 408, 409, 429, 5xx, a timeout, a broken connection, an answer that is no chat completion.
It waits twice as long each time, or as long as `Retry-After` says. A 429 or 503 with that header holds back the other
calls, too.
"""

import asyncio
import email.utils
import json
import os
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx2

from training.annotation.answers import Answer, parse_answer
from training.annotation.dialect import Dialect
from training.annotation.prompt import Message
from training.errors import RunError, UsageError

RETRIED = frozenset({408, 409, 425, 429})
WRONG_CALL = {401: "the key is missing or wrong", 403: "the key may not do this", 404: "no such address or model"}
LONGEST_WAIT_S = 300.0
NO_LIMITS = httpx2.Limits(max_connections=None)
"""Of connections: the caller bounds the requests at a time."""

SHOWN = 200
"""Characters of an endpoint's error that are shown."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address of a chat endpoint and how patient to be with it.

    Attributes:
        url: of the chat completions.
        model: its name there.
        key: sent as a bearer token; shown nowhere.
        timeout_s: of one request.
        retries: further attempts of one request.
        backoff_s: wait before the first of them; it doubles.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0
    retries: int = 5
    backoff_s: float = 1.0


def chat_url(url: str) -> str:
    """The address of the chat completions below a base address such as `http://localhost:8000/v1`.

    >>> chat_url("http://localhost:11434")
    'http://localhost:11434/v1/chat/completions'

    Raises:
        UsageError: it is no HTTP address, or has a user name or password in it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("--endpoint must begin with http:// or https://, for example http://localhost:8000/v1")
    if parts.username or parts.password:
        raise UsageError("--endpoint has a user name or password in it, which would be shown; use --key-variable")
    base = url.rstrip("/")
    if base.endswith("/chat/completions"):
        return base
    return f"{base}/chat/completions" if parts.path.strip("/") else f"{base}/v1/chat/completions"


def key_from(variable: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key in an environment variable; None where it is not set.

    Raises:
        UsageError: it cannot be sent in a header.
    """
    key = environment.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"the key in {variable} has characters that no HTTP header can hold")
    return key or None


class CallFailedError(Exception):
    """A request that failed after all retries; the message says how."""


class RefusedError(Exception):
    """A request that the endpoint will not take as it is (400, 413, 422); the message is the endpoint's."""


class ChatClient:
    """Sends requests in the dialect that the endpoint takes, which the first answer settles.

    Use it as an asynchronous context manager.

    Args:
        endpoint: whom to ask.
        say: gets a line for each field that the endpoint refuses.
    """

    def __init__(self, endpoint: Endpoint, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.settled = False
        self.num_requests = 0
        self._endpoint, self._say = endpoint, say
        self._dialect, self._settling = Dialect(), asyncio.Lock()
        self._held_until = 0.0
        headers = {} if endpoint.key is None else {"Authorization": f"Bearer {endpoint.key}"}
        # Reading the authorities' certificates takes a tenth of a second; without TLS none is trusted.
        verify = endpoint.url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._http = httpx2.AsyncClient(headers=headers, timeout=endpoint.timeout_s, limits=NO_LIMITS, verify=verify)

    async def __aenter__(self) -> "ChatClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(
        self, messages: Sequence[Message], *, schema: Mapping[str, Any], max_tokens: int, temperature: float
    ) -> Answer:
        """The endpoint's answer; until one has come, only one request is under way.

        Raises:
            CallFailedError: it failed after all retries.
            RefusedError: the endpoint does not take it, whatever is left out.
            RunError: the key, the address or the model is wrong, or the endpoint cannot be reached at all.
        """

        def body(dialect: Dialect) -> dict[str, Any]:
            return dialect.body(
                self._endpoint.model, messages, schema=schema, max_tokens=max_tokens, temperature=temperature
            )

        if not self.settled:
            async with self._settling:
                if not self.settled:
                    return await self._settle(body)
        return await self._send(body(self._dialect))

    async def _settle(self, body: Callable[[Dialect], dict[str, Any]]) -> Answer:
        dialect, lines = self._dialect, list[str]()
        while True:
            try:
                answer = await self._send(body(dialect))
            except RefusedError as error:
                following = dialect.after(str(error))
                if following is None:
                    raise
                dialect, line = following
                lines.append(line)
            except CallFailedError as error:
                raise RunError(f"no answer from {self._endpoint.url}: {error}") from error
            else:
                self._dialect, self.settled = dialect, True
                for line in lines:
                    self._say(line)
                return answer

    async def _send(self, body: Mapping[str, Any]) -> Answer:
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        attempt = 0
        while True:
            await asyncio.sleep(self._held_until - time.monotonic())
            cause, wait_s = await self._attempt(content)
            if isinstance(cause, Answer):
                return cause
            if attempt == self._endpoint.retries:
                raise CallFailedError(f"{cause} ({attempt + 1} attempts)")
            await asyncio.sleep(self._wait_s(attempt, wait_s))
            attempt += 1

    async def _attempt(self, content: bytes) -> tuple[Answer | str, float | None]:
        """One request: the answer, or the cause of a failure that may pass and what `Retry-After` says."""
        self.num_requests += 1
        try:
            response = await self._http.post(
                self._endpoint.url, content=content, headers={"Content-Type": "application/json"}
            )
        except httpx2.TimeoutException:
            return f"no answer within {self._endpoint.timeout_s:g} s", None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return self._clean(f"{type(error).__name__}: {error}"), None
        said = self._said(response)
        if response.status_code in RETRIED or response.status_code >= 500:
            wait_s = retry_after_s(response.headers.get("Retry-After"))
            if wait_s is not None:
                self._held_until = max(self._held_until, time.monotonic() + min(wait_s, LONGEST_WAIT_S))
            return f"{response.status_code} {said}", wait_s
        if response.status_code in WRONG_CALL:
            reason = WRONG_CALL[response.status_code]
            raise RunError(f"{self._endpoint.url} answered {response.status_code} ({reason}): {said}")
        if response.status_code != 200:
            raise RefusedError(f"{response.status_code} {said}")
        try:
            return parse_answer(response.json()), None
        except ValueError:  # no JSON, or an error under status 200
            return f"no chat completion: {said}", None

    def _wait_s(self, attempt: int, asked_s: float | None) -> float:
        """The wait before the next attempt: half of it by chance, so that many calls do not come back at once."""
        own_s: float = self._endpoint.backoff_s * 2**attempt * random.uniform(0.5, 1.0)
        return min(max(own_s, asked_s or 0.0), LONGEST_WAIT_S)

    def _said(self, response: httpx2.Response) -> str:
        """The message in an error's body, or the start of the body."""
        try:
            found = response.json()
            error = found.get("error", found.get("detail", found)) if isinstance(found, dict) else found
            said = error.get("message", error) if isinstance(error, dict) else error
        except ValueError:
            said = response.text
        return self._clean(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))

    def _clean(self, said: str) -> str:
        line = " ".join(said.split())[: 10 * SHOWN]
        if self._endpoint.key:
            line = line.replace(self._endpoint.key, "***")
        return line[:SHOWN]


def retry_after_s(value: str | None) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or the time until a date; None if it says neither.

    >>> retry_after_s("2"), retry_after_s("soon")
    (2.0, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds < float("inf") else None
