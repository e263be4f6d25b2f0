"""Counts tokens and money: before the first call by estimate, afterwards as the endpoint counted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.annotation.prompt import Prompt

CHARACTERS_A_TOKEN = 4
"""Of English; other scripts take about a token a character."""

MESSAGE_TOKENS = 16
"""Of the chat template around the messages of a call."""

ANSWER_TOKENS = 6
"""Number, quotation marks, colon and comma around a label."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Price of a million tokens, in any currency; None where it is not known."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def of(self, tokens_in: int, tokens_out: int) -> float | None:
        """Price of so many tokens; None if neither price is known."""
        if self.tokens_in is None and self.tokens_out is None:
            return None
        return (tokens_in * (self.tokens_in or 0.0) + tokens_out * (self.tokens_out or 0.0)) / 1e6


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens that a run will take."""

    calls: int
    tokens_in: int
    tokens_out: int


def estimate_tokens(text: str) -> int:
    """Tokens of a text by its length: four characters of ASCII each, or one other character.

    >>> estimate_tokens("eight ch"), estimate_tokens("很好")
    (2, 2)
    """
    others = sum(not character.isascii() for character in text)
    return others + math.ceil((len(text) - others) / CHARACTERS_A_TOKEN)


def answer_tokens(prompt: Prompt, num_texts: int) -> int:
    """Tokens of an answer about so many texts, if all have the longest label."""
    return num_texts * (ANSWER_TOKENS + max(map(estimate_tokens, prompt.labels.names)))


def estimate(prompt: Prompt, texts: Sequence[str], *, texts_per_call: int) -> Estimate:
    """Calls and tokens to ask about these texts, without repeats."""
    calls = math.ceil(len(texts) / texts_per_call)
    a_call = estimate_tokens(prompt.system) + MESSAGE_TOKENS
    a_text = [ANSWER_TOKENS + estimate_tokens(text[: prompt.max_characters]) for text in texts]
    return Estimate(calls, calls * a_call + sum(a_text), answer_tokens(prompt, len(texts)))


def money(prices: Prices, tokens_in: int, tokens_out: int) -> str:
    """The price as the end of a line; empty if no price is known."""
    price = prices.of(tokens_in, tokens_out)
    return "" if price is None else f", price {price:,.4f}"
