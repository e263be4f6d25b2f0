"""`POST /classify` and `POST /v1/classify`: the form of vLLM, SGLang and Dynamo."""

import secrets
import time
from typing import Annotated

import msgspec
from starlette.types import Receive, Scope, Send

from app.api.endpoint import Classified, answer, built, classify, finished, texts_of
from app.api.rendering import DECIMALS
from app.config.sections import RequestLimits
from app.core.classifier import Probabilities
from app.core.errors import InvalidRequest
from app.deployment.registry import Registry
from app.http.body import read_body
from app.http.json import Parser
from app.http.routing import NamedRoute
from model.text import Encoded

PATHS = ("/classify", "/v1/classify")


class ClassifyRequest(msgspec.Struct):
    """Texts to classify, as clients of vLLM send them. Further fields that these clients send have no effect."""

    input: Annotated[str | list[str], msgspec.Meta(description="One text, or a list of separate texts.")]
    model: Annotated[str | None, msgspec.Meta(description="Name of the model; the server's default if absent.")] = None
    use_activation: Annotated[
        bool | None,
        msgspec.Meta(
            description="Not `false`: the answer is probabilities.",
            extra_json_schema={"not": {"const": False}},
        ),
    ] = None


class ClassifiedText(msgspec.Struct, frozen=True):
    """One text's answer."""

    index: int
    label: Annotated[str, msgspec.Meta(description="The most probable label.")]
    probs: Annotated[
        list[float], msgspec.Meta(description="Of every label, in the order of the model's labels (GET /models).")
    ]
    num_classes: int


class Usage(msgspec.Struct, frozen=True):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int = 0


class ClassifyResponse(msgspec.Struct, frozen=True):
    """One entry a text, in the order of the request."""

    id: str
    object: str
    created: Annotated[int, msgspec.Meta(description="Seconds since 1970.")]
    model: str
    data: list[ClassifiedText]
    usage: Usage


_parse = Parser(ClassifyRequest).parse
_encode = msgspec.json.Encoder().encode


def vllm_routes(registry: Registry, settings: RequestLimits) -> list[NamedRoute]:
    """Both routes."""
    endpoint = VllmClassify(registry, settings)
    return [NamedRoute(path, endpoint, methods=["POST"], include_in_schema=False) for path in PATHS]


class VllmClassify:
    """The endpoint of both."""

    def __init__(self, registry: Registry, settings: RequestLimits) -> None:
        self._registry = registry
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request.

        Raises:
            AppError: it gets no answer; says why.
        """
        begun = self._begin(scope, await read_body(scope, receive, self._settings.max_body_bytes))
        classified = await finished(begun, scope, receive)
        model = classified.model
        labels = model.classifier.labels

        def entry(row: Probabilities, encoded: Encoded) -> tuple[str, list[float], int]:
            return labels[int(row.argmax())], [round(p, DECIMALS) for p in row.tolist()], encoded.num_tokens

        def build() -> bytes:
            entries = classified.all(entry)
            data = [ClassifiedText(i, label, probs, len(labels)) for i, (label, probs, _) in enumerate(entries)]
            tokens = sum(num_tokens for _, _, num_tokens in entries)
            name = f"classify-{secrets.token_hex(16)}"
            usage = Usage(tokens, tokens)
            return _encode(ClassifyResponse(name, "list", int(time.time()), model.name, data, usage))

        await answer(send, classified, await built(self._registry, classified, build))

    def _begin(self, scope: Scope, body: bytes) -> Classified:
        call = _parse(body)
        if call.use_activation is False:
            raise InvalidRequest("The answer is probabilities: `use_activation` cannot be false.")
        return classify(self._registry.get(call.model), self._settings, scope, texts_of(call.input))
