"""Reads the labels of numbered texts out of a chat model's answer."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.annotation.prompt import LabelSet
from training.annotation.soft_labels import Token, log_probabilities

THOUGHTS = re.compile(r"<think>.*?</think>|^.*?</think>", re.DOTALL)
CUT = "cut answer"
SHOWN = 60
"""Characters of a bad answer that its cause repeats."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a chat endpoint.

    Attributes:
        content: the message.
        finish_reason: why it ends, for example stop or length.
        tokens: with their alternatives; None where the endpoint does not give them.
        tokens_in, tokens_out: as the endpoint counted; None where it does not.
    """

    content: str
    finish_reason: str = "stop"
    tokens: tuple[Token, ...] | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Label of a text.

    Attributes:
        label: as answered.
        log_probabilities: one a label, in the order of the label set; None where the endpoint gives none.
    """

    label: str
    log_probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Text without a label.

    Attributes:
        cause: for a person to read.
        final: true if to ask about the text alone would not help either.
    """

    cause: str
    final: bool = False


Outcome = Judged | Unlabelled


def parse_answer(body: Any) -> Answer:
    """Reads the body of a response.

    Raises:
        ValueError: it is no chat completion.
    """
    try:
        choice = body["choices"][0]
        content = choice["message"].get("content") or ""
        finish = str(choice.get("finish_reason") or "stop")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("the answer is no chat completion") from None
    if not isinstance(content, str):
        raise ValueError("the answer's content is no text")
    usage = body.get("usage") or {}
    counts = [
        value if isinstance(value := usage.get(f"{kind}_tokens"), int) else None for kind in ("prompt", "completion")
    ]
    return Answer(content, finish, _tokens(choice.get("logprobs")), *counts)


def _tokens(found: Any) -> tuple[Token, ...] | None:
    """The tokens with their alternatives; None unless all are there and sound."""

    def one(entry: Mapping[str, Any]) -> tuple[bytes, float]:
        raw = entry.get("bytes")
        content = bytes(raw) if raw else str(entry["token"]).encode()
        return content, math.exp(min(0.0, float(entry["logprob"])))

    try:
        entries = found["content"]
        tokens = []
        for entry in entries:
            content, probability = one(entry)
            others = dict(one(other) for other in entry.get("top_logprobs") or ())
            tokens.append(Token(content, tuple(({content: probability} | others).items())))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return tuple(tokens) or None


def judge(answer: Answer, num_texts: int, labels: LabelSet) -> list[Outcome]:
    """Label of each of the numbered texts that the answer is about, or why there is none."""
    if answer.finish_reason == "length":
        return [Unlabelled(CUT)] * num_texts
    if answer.finish_reason == "content_filter":
        return [Unlabelled("refused by the endpoint's content filter", final=num_texts == 1)] * num_texts
    content = THOUGHTS.sub("", answer.content).strip()
    found = _object(content)
    if found is None:
        plain = labels.find(content.strip("\"'`. \n")) if num_texts == 1 else None
        return [Judged(plain)] if plain else [Unlabelled(f"no JSON object: {_short(content)}")] * num_texts
    return [_outcome(found.get(str(number)), number, answer, labels) for number in range(1, num_texts + 1)]


def _object(content: str) -> Mapping[str, Any] | None:
    """The JSON object in an answer, also between other words or in a block of Markdown."""
    start, end = content.find("{"), content.rfind("}")
    try:
        found = json.loads(content[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else None


def _outcome(value: object, number: int, answer: Answer, labels: LabelSet) -> Outcome:
    if value is None:
        return Unlabelled("no answer about this text")
    label = labels.find(value)
    if label is None:
        return Unlabelled(f"wrong label: {_short(str(value))}")
    return Judged(label, _soft(number, answer, labels))


def _soft(number: int, answer: Answer, labels: LabelSet) -> tuple[float, ...] | None:
    places = list(re.finditer(rf'"{number}"\s*:\s*"', answer.content))
    if answer.tokens is None or not places:
        return None
    return log_probabilities(answer.tokens, answer.content, places[-1].end(), labels.names)


def _short(said: str) -> str:
    """The start of what a model said, on one line."""
    line = " ".join(said.split())
    return repr(line if len(line) <= SHOWN else f"{line[:SHOWN]}…")
