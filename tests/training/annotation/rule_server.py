"""A chat endpoint in OpenAI's form on a real port, which answers by rule and fails as it is told."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rule = Callable[[str], Mapping[str, float]]
"""Probabilities of the labels of a text."""


@dataclass(frozen=True)
class Reply:
    """One response; `body` is sent as it is if it is bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


Fault = Callable[[dict[str, Any]], Reply | None]
"""Gets the body of a request; None answers by rule."""


def completion(content: str, *, finish_reason: str = "stop", logprobs: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"object": "chat.completion", "choices": [choice | {"logprobs": logprobs}], "usage": usage}


def texts_of(body: Mapping[str, Any]) -> dict[str, str]:
    return json.loads(body["messages"][-1]["content"])  # type: ignore[no-any-return]


def rule_reply(body: Mapping[str, Any], rule: Rule, *, soft: bool = True) -> dict[str, Any]:
    """The most probable label of each text, with the alternatives of its token if they are asked for."""
    pieces: list[tuple[str, Mapping[str, float]]] = []
    for number, text in texts_of(body).items():
        probabilities = rule(text)
        best = max(probabilities, key=lambda label: probabilities[label])
        start = f'{"," if pieces else "{"}"{number}":"'
        pieces += [(start, {start: 1.0}), (best, probabilities), ('"', {'"': 1.0})]
    pieces.append(("}", {"}": 1.0}))
    content = "".join(piece for piece, _ in pieces)
    if not (soft and body.get("logprobs")):
        return completion(content)
    return completion(content, logprobs={"content": [_entry(piece, others) for piece, others in pieces]})


def _entry(piece: str, others: Mapping[str, float]) -> dict[str, Any]:
    def one(content: str, probability: float) -> dict[str, Any]:
        return {"token": content, "logprob": math.log(max(probability, 1e-9)), "bytes": list(content.encode())}

    return one(piece, others[piece]) | {"top_logprobs": [one(*pair) for pair in others.items()]}


@dataclass
class RuleServer:
    """The running server.

    Attributes:
        url: base address.
        bodies, headers: of the requests so far.
        faults: taken one a request, before the rule.
        always: asked at each request, after the faults.
    """

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[Reply | Fault] = field(default_factory=list)
    always: Fault = lambda _: None

    @property
    def texts(self) -> list[str]:
        return [text for body in self.bodies for text in texts_of(body).values()]


@contextmanager
def rule_server(rule: Rule, *, soft: bool = True) -> Iterator[RuleServer]:
    """Serves while the block runs."""
    state = RuleServer("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one write: two wait 40 ms for each other

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                state.bodies.append(body)
                state.headers.append(dict(self.headers))
                fault = state.faults.pop(0) if state.faults else state.always
            reply = fault if isinstance(fault, Reply) else fault(body)
            reply = reply or Reply(body=rule_reply(body, rule, soft=soft))
            time.sleep(reply.delay_s)
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client has left
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_words(words: Mapping[str, str], otherwise: str, sure: float = 0.9) -> Rule:
    """The label of the first of these words that a text has."""

    def rule(text: str) -> Mapping[str, float]:
        best = next((label for word, label in words.items() if word in text), otherwise)
        labels: Sequence[str] = list(dict.fromkeys([*words.values(), otherwise]))
        rest = (1 - sure) / (len(labels) - 1)
        return {label: sure if label == best else rest for label in labels}

    return rule
