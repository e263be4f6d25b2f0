"""Retries, and what is told of an endpoint that fails; each request goes to a real port."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

import pytest

from tests.training.annotation.rule_server import Reply, RuleServer, by_words, completion, rule_server
from training.annotation.answers import Answer
from training.annotation.client import (
    CallFailedError,
    ChatClient,
    Endpoint,
    RefusedError,
    chat_url,
    key_from,
    retry_after_s,
)
from training.annotation.prompt import make_prompt, parse_labels
from training.errors import RunError, UsageError

PROMPT = make_prompt(parse_labels("good,bad"), max_characters=100)


@pytest.fixture
def server() -> Iterator[RuleServer]:
    with rule_server(by_words({"fine": "good"}, "bad")) as server:
        yield server


def ask(server: RuleServer, *, times: int = 1, lines: list[str] | None = None, **options: object) -> Answer:
    endpoint = Endpoint(chat_url(server.url), "m", backoff_s=0.001, **options)  # type: ignore[arg-type]

    async def run() -> Answer:
        async with ChatClient(endpoint, say=(lines if lines is not None else []).append) as client:
            asked = [
                client.ask(PROMPT.messages(["fine"]), schema=PROMPT.schema(1), max_tokens=10, temperature=0)
                for _ in range(times)
            ]
            return (await asyncio.gather(*asked))[-1]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "fault",
    [
        Reply(429, {"error": {"message": "slow down"}}),
        Reply(500, b"<html>"),
        Reply(503, {"detail": "loading"}),
        Reply(200, b"not json"),
        Reply(200, {"error": {"message": "provider failed"}}),
        Reply(200, completion("x"), delay_s=0.3),
    ],
)
def test_what_may_pass_is_tried_again(server: RuleServer, fault: Reply) -> None:
    server.faults += [fault, fault]
    assert ask(server, timeout_s=0.2).content == '{"1":"good"}'
    assert len(server.bodies) == 3


def test_the_wait_is_at_least_what_retry_after_says_for_all_calls(server: RuleServer) -> None:
    server.always = lambda body: Reply(429, {}, {"Retry-After": "0.2"}) if len(server.bodies) == 2 else None
    began = time.monotonic()
    ask(server, times=3)
    assert time.monotonic() - began >= 0.2


def test_retry_after_may_be_a_date() -> None:
    assert retry_after_s(formatdate(time.time() + 100, usegmt=True)) == pytest.approx(100, abs=2)
    assert retry_after_s(format_datetime(datetime(2020, 1, 1, tzinfo=UTC))) == 0
    assert [retry_after_s(value) for value in (None, "inf", "nan", "-1")] == [None, None, None, 0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Reply(429, {"error": {"message": "quota"}}), r"429 quota \(3 attempts\)"),
        (Reply(502, b""), r"502  ?\(3 attempts\)"),
        (Reply(200, completion("x"), delay_s=0.2), r"no answer within 0.1 s \(3 attempts\)"),
        (Reply(200, b"[]"), r"no chat completion: \[\] \(3 attempts\)"),
    ],
)
def test_an_endpoint_that_never_answers_is_told(server: RuleServer, fault: Reply, message: str) -> None:
    server.always = lambda body: fault
    with pytest.raises(RunError, match=message):
        ask(server, retries=2, timeout_s=0.1)


def test_once_it_has_answered_a_call_fails_by_itself(server: RuleServer) -> None:
    server.always = lambda body: Reply(500, b"") if len(server.bodies) > 1 else None
    with pytest.raises(CallFailedError, match="500"):
        ask(server, times=2, retries=0)


@pytest.mark.parametrize(("status", "reason"), [(401, "key is missing"), (404, "address or model")])
def test_a_wrong_key_or_model_stops_at_once_and_the_key_is_not_shown(
    server: RuleServer, status: int, reason: str
) -> None:
    server.always = lambda body: Reply(status, {"error": {"message": "no: sk-secret"}})
    with pytest.raises(RunError, match=reason) as caught:
        ask(server, key="sk-secret")
    assert "no: ***" in str(caught.value)
    assert len(server.bodies) == 1
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(Endpoint("u", "m", key="sk-secret"))


def test_refused_fields_are_left_out_and_told_once(server: RuleServer) -> None:
    def refuse(body: dict[str, object]) -> Reply | None:
        for name in ("response_format", "logprobs"):
            if name in body:
                return Reply(400, {"error": {"message": f"{name} is not supported"}})
        return None

    server.always, lines = refuse, list[str]()
    ask(server, times=4, lines=lines)
    assert len(server.bodies) == 3 + 1 + 3  # schema, 20 alternatives, 5; the answer; the other calls
    assert [line.split(":")[0] for line in lines] == [
        "the endpoint refuses response_format json_schema",
        "the endpoint refuses top_logprobs 20",
        "the endpoint refuses logprobs",
    ]


def test_what_is_refused_in_any_form_is_about_the_text(server: RuleServer) -> None:
    lines: list[str] = []
    server.always = lambda body: Reply(400, {"detail": [{"msg": "too long"}]})
    with pytest.raises(RefusedError, match="too long"):
        ask(server, lines=lines)
    assert lines == []


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(RunError, match=r"no answer from http://127\.0\.0\.1:9/v1/chat/completions: ConnectError"):
        ask(RuleServer("http://127.0.0.1:9/v1"), retries=1)


def test_addresses() -> None:
    assert chat_url("https://host/v1/") == "https://host/v1/chat/completions"
    assert chat_url("https://host/v1/chat/completions") == "https://host/v1/chat/completions"
    for url, message in (("host:80/v1", "must begin with http"), ("http://u:p@host", "password in it")):
        with pytest.raises(UsageError, match=message):
            chat_url(url)


def test_keys_come_from_a_variable() -> None:
    assert key_from("KEY", {"KEY": " k "}) == "k"
    assert key_from("KEY", {}) is None
    with pytest.raises(UsageError, match="no HTTP header"):
        key_from("KEY", {"KEY": "schlüssel"})
