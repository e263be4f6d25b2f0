"""The optional fields of a chat request, which are left out one by one where an endpoint refuses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from training.annotation.prompt import Message

MOST_LOGPROBS = 20
"""Alternatives of a token, at most, in OpenAI's and vLLM's interface."""

FEW_LOGPROBS = 5
"""Alternatives that endpoints with a lower bound give."""

SCHEMA_WORDS = ("response_format", "json_schema", "schema", "grammar", "guided", "structured")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Fields that the requests to an endpoint have beside model and messages.

    Attributes:
        schema: `response_format` with the JSON schema of the answer.
        top_logprobs: alternatives of each token whose log-probabilities are asked for; 0 asks for none.
        temperature: of the answer.
        limit: name of the field with the greatest number of tokens of an answer.
    """

    schema: bool = True
    top_logprobs: int = MOST_LOGPROBS
    temperature: bool = True
    limit: str = "max_tokens"

    def body(
        self,
        model: str,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any],
        max_tokens: int,
        temperature: float,
    ) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {"model": model, "messages": list(messages), self.limit: max_tokens}
        if self.temperature:
            body["temperature"] = temperature
        if self.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        if self.schema:
            named = {"name": "labels", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return body

    def after(self, refusal: str) -> tuple["Dialect", str] | None:
        """The dialect to try after a refusal, and a line that says what is missing from it.

        The field that the refusal names goes first; if it names none, they go in a fixed order. None if none is left.
        """
        said = refusal.casefold()
        steps = (
            (self.limit == "max_tokens" and "max_completion_tokens" in said, self._other_limit),
            (self.top_logprobs > 0 and "logprob" in said, self._fewer_logprobs),
            (self.temperature and "temperature" in said, self._no_temperature),
            (self.schema and any(word in said for word in SCHEMA_WORDS), self._no_schema),
            (self.schema, self._no_schema),
            (self.top_logprobs > 0, self._fewer_logprobs),
            (self.temperature, self._no_temperature),
            (self.limit == "max_tokens", self._other_limit),
        )
        return next((step() for applies, step in steps if applies), None)

    def _no_schema(self) -> tuple["Dialect", str]:
        line = "the endpoint refuses response_format json_schema: answers are free text, and checked when they come"
        return replace(self, schema=False), line

    def _fewer_logprobs(self) -> tuple["Dialect", str]:
        if self.top_logprobs > FEW_LOGPROBS:
            line = f"the endpoint refuses top_logprobs {self.top_logprobs}: asking for {FEW_LOGPROBS}"
            return replace(self, top_logprobs=FEW_LOGPROBS), line
        return replace(self, top_logprobs=0), "the endpoint refuses logprobs: labels come without probabilities"

    def _no_temperature(self) -> tuple["Dialect", str]:
        return replace(self, temperature=False), "the endpoint refuses temperature: it uses its own"

    def _other_limit(self) -> tuple["Dialect", str]:
        line = "the endpoint refuses max_tokens: using max_completion_tokens"
        return replace(self, limit="max_completion_tokens"), line
