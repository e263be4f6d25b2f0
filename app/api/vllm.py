"""`POST /classify` and `POST /v1/classify`: the form of vLLM, SGLang and Dynamo."""

import secrets
import time
from typing import Annotated

import msgspec
from starlette.types import Scope

from app.api.endpoint import JSON, Call, Classified, Form, Rendered, texts_of
from app.api.openapi import EXAMPLES, OTHER_FORMS, Operation
from app.api.rendering import rounded
from app.api.schemas import ModelName
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest, UnknownModel
from app.http.json import Parser


class ClassifyRequest(msgspec.Struct):
    """Texts to classify, as clients of vLLM send them. Further fields that these clients send have no effect."""

    input: Annotated[str | list[str], msgspec.Meta(description="One text, or a list of separate texts.")]
    model: ModelName = None
    use_activation: Annotated[
        bool | None,
        msgspec.Meta(
            description="`false` for logits in `probs` instead of probabilities: their softmax (of a multi-label model "
            "each one's sigmoid) is the probabilities."
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


_parse = Parser(ClassifyRequest, {"input": "A good film."}).parse
_encode = msgspec.json.Encoder().encode


class VllmForm(Form[bool]):
    """The form of `POST /classify` and `POST /v1/classify`; its option is false for logits."""

    paths = ("/classify", "/v1/classify")

    def parse(self, scope: Scope, body: bytes) -> Call[bool]:
        """Reads a `ClassifyRequest` from JSON."""
        request = _parse(body)
        return Call(texts_of(request.input), request.use_activation is not False, request.model)

    def render(self, classified: Classified, options: bool) -> Rendered:
        """Writes a `ClassifyResponse` as JSON."""
        classifier, answers = classified.model.classifier, classified.answers()
        labels, data = classifier.labels, []
        for index, answer in enumerate(answers):
            row = answer.probabilities if options else answer.logits
            probs = [rounded(value) for value in row.tolist()]
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
            description="Fields that vLLM's clients send and that are not listed have no effect.",
            answer="One entry a text, in order.",
            request=ClassifyRequest,
            response=ClassifyResponse,
            examples=EXAMPLES["vllm"],
            limits=limits,
            one_fails_all=True,
            errors=[InvalidRequest("Expected `str | array`, got `int` - at `$.input`."), UnknownModel()],
        )
