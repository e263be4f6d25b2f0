"""`POST /classify` and `POST /v1/classify`: the form of vLLM, SGLang and Dynamo."""

import secrets
import time
from typing import Annotated

import msgspec
from starlette.types import Scope

from app.api.endpoint import JSON, ONE_FAILS_ALL, Call, Classified, Form, Rendered, all_or_nothing_errors, texts_of
from app.api.openapi import EXAMPLE_TEXT, OTHER_FORMS, Operation, content, timeout_parameter
from app.api.rendering import DECIMALS
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest, UnknownModel
from app.http.json import Parser


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
    """The answer to one text."""

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


EXAMPLE_RESPONSE = {
    "id": "classify-0f6c2f0f4e5e4bb2a1c9d3f1a7b8c9d0",
    "object": "list",
    "created": 1790000000,
    "model": "sentiment",
    "data": [{"index": 0, "label": "positive", "probs": [0.007, 0.993], "num_classes": 2}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8, "completion_tokens": 0},
}

_parse = Parser(ClassifyRequest).parse
_encode = msgspec.json.Encoder().encode


class VllmForm(Form[None]):
    """The form of `POST /classify` and `POST /v1/classify`."""

    paths = ("/classify", "/v1/classify")

    def parse(self, scope: Scope, body: bytes) -> Call[None]:
        """Reads a `ClassifyRequest` from JSON."""
        request = _parse(body)
        if request.use_activation is False:
            raise InvalidRequest("The answer is probabilities: `use_activation` cannot be false.")
        return Call(texts_of(request.input), None, request.model)

    def render(self, classified: Classified, options: None) -> Rendered:
        """Writes a `ClassifyResponse` as JSON."""
        labels, answers = classified.model.classifier.labels, classified.answers()
        data = []
        for index, (row, _) in enumerate(answers):
            probs = [round(probability, DECIMALS) for probability in row.tolist()]
            data.append(ClassifiedText(index, labels[int(row.argmax())], probs, len(labels)))
        tokens = sum(answer.encoded.num_tokens for answer in answers)
        id_, created = f"classify-{secrets.token_hex(16)}", int(time.time())
        usage = Usage(tokens, tokens)
        return _encode(ClassifyResponse(id_, "list", created, classified.model.name, data, usage)), JSON

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        return Operation(
            id="classify_v1" if path.startswith("/v1") else "classify",
            tag=OTHER_FORMS,
            summary="Classify texts, vLLM's form",
            description=f"Fields that vLLM's clients send and that are not listed have no effect. {ONE_FAILS_ALL}",
            answer="One entry a text, in order.",
            request=content(ClassifyRequest, one={"model": "sentiment", "input": [EXAMPLE_TEXT]}),
            response=content(ClassifyResponse, one=EXAMPLE_RESPONSE),
            kinds=(ClassifyRequest, ClassifyResponse),
            errors=[
                *all_or_nothing_errors(limits),
                InvalidRequest("Expected `str | array`, got `int` - at `$.input`."),
                UnknownModel(),
            ],
            max_texts=limits.max_texts,
            parameters=[timeout_parameter(limits.deadline_ms)],
        )
