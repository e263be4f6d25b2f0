"""An answer of `POST /explain` in the form of docs/design/0017-looking-inside.md, made without a model."""

import math
import re
import zlib
from typing import Any


def explanation(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request with one text; each word has two tokens, and numbers that follow from its letters."""
    text, units = body["inputs"], body.get("units", [])
    words = [part for match in re.finditer(r"[^\W\d_]+|[^\s\w]|\d+", text) for part in _words(match)]
    tokens = [token for word in words for token in _halves(word)]
    value = sum(word["score"] for word in words) - 0.25
    sentences = [
        {"text": match[0], "start": match.start(), "end": match.end(), "label": "positive", "score": 0.75}
        for match in re.finditer(r"[^.!?。！？]+[.!?。！？]*", text)
    ]
    probability = 1 / (1 + math.exp(-value))
    entry = {
        "label": body.get("label", "negative"),
        "score": probability,
        "scores": [{"label": "negative", "score": probability}, {"label": "positive", "score": 1 - probability}],
        "tokens": len(tokens),
        "truncated": False,
        "attribution": {
            "value": value,
            "baseline": -0.25,
            "gap": 0.0021,
            "steps": 32,
            "tokens": tokens,
            "words": words,
        },
        "sentences": sentences,
        "gates": [
            {
                "layer": 0,
                "direction": direction,
                "mean": _gates(len(tokens), shift),
                "units": [{"unit": unit} | _gates(len(tokens), shift + unit + 1) for unit in units],
            }
            for shift, direction in enumerate(("forward", "backward"))
        ],
    }
    return {"model": body["model"], "version": "0123456789ab", "explanations": [entry]}


def _words(match: re.Match[str]) -> list[dict[str, Any]]:
    step = len(match[0]) if match[0].isascii() else 1
    return [
        {
            "text": match[0][at : at + step],
            "start": match.start() + at,
            "end": match.start() + at + step,
            "score": round(_number(match[0][at : at + step]), 3),
            "occlusion": round(_number(match[0][at : at + step]) * 0.9, 3),
        }
        for at in range(0, len(match[0]), step)
    ]


def _halves(word: dict[str, Any]) -> list[dict[str, Any]]:
    middle = word["start"] + max(1, (word["end"] - word["start"]) // 2)
    ends = [(word["start"], middle), (middle if middle < word["end"] else word["start"], word["end"])]
    return [
        word
        | {"start": start, "end": end, "text": word["text"][start - word["start"] : end - word["start"]]}
        | {"score": word["score"] / 2, "occlusion": word["occlusion"] / 2}
        for start, end in ends
    ]


def _gates(num_tokens: int, shift: int) -> dict[str, list[float]]:
    def wave(speed: float, low: float, high: float) -> list[float]:
        return [low + (high - low) * (0.5 + 0.5 * math.sin(shift + speed * at)) for at in range(num_tokens)]

    gates = {name: wave(speed, 0, 1) for name, speed in (("forget", 0.3), ("input", 0.7), ("output", 1.1))}
    return gates | {"candidate": wave(0.5, -1, 1), "cell": wave(0.2, -2, 2.5), "hidden": wave(0.9, -1, 1)}


def _number(word: str) -> float:
    return (zlib.crc32(word.lower().encode()) % 1000 - 400) / 250
