"""`POST /embed` and `POST /v1/embeddings`: sentence vectors, in the forms of text-embeddings-inference and OpenAI."""

import base64
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from starlette.types import Scope

from app.api.endpoint import JSON, Call, Classified, Form, Rendered, texts_of
from app.api.openapi import EXAMPLES, VECTORS, Operation
from app.api.schemas import AtLeastOne, ModelName, Texts
from app.config.sections import RequestLimits
from app.core.classifier import Vectors
from app.core.errors import InvalidRequest, TextTooLong, UnknownModel
from app.deployment.registry import ServedModel
from app.http.json import Parser
from model.vectors import unit_length

DIGITS = 7
"""Of each number after the point, in JSON: beyond them float32 and the other texts of a batch decide."""

OF_THE_PRIMARY = "By the primary version of the model alone, for vectors of two versions cannot be compared."

SHORTENED = "In the examples three numbers, which are made up, stand for each vector."


class EmbedRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Texts whose vectors are asked for, as clients of text-embeddings-inference send them."""

    inputs: Texts
    model: ModelName = None
    normalize: Annotated[
        bool, msgspec.Meta(description="Scales each vector to length 1, so that a dot product of two is their cosine.")
    ] = True
    truncate: Annotated[
        bool | None,
        msgspec.Meta(
            description="The end of a text that is longer than the model reads is left out, unless this is `false`: "
            "then such a text gets 413."
        ),
    ] = None
    truncation_direction: Annotated[
        str, msgspec.Meta(pattern="^[Rr]ight$", description="`Right`: only the end of a text can be left out.")
    ] = "Right"
    prompt_name: Annotated[None, msgspec.Meta(description="There are no prompts here.")] = None


class EmbeddingsRequest(msgspec.Struct):
    """Texts whose vectors are asked for, as OpenAI's clients send them. Fields that are not listed have no effect."""

    input: Annotated[
        str | list[str],
        msgspec.Meta(description="One text, or a list of separate texts. Token ids of another tokenizer are refused."),
    ]
    model: ModelName = None
    encoding_format: Annotated[
        Literal["float", "base64"],
        msgspec.Meta(description="`base64` is that of the little-endian float32 numbers, a quarter of the bytes."),
    ] = "float"
    dimensions: Annotated[
        AtLeastOne | None, msgspec.Meta(description="Only the numbers that the model's vectors have (GET /models).")
    ] = None


class Embedding(msgspec.Struct, frozen=True):
    """The vector of one text."""

    object: str
    index: int
    embedding: Annotated[list[float] | str, msgspec.Meta(description="Of length 1; zeros for a text without tokens.")]


class EmbeddingUsage(msgspec.Struct, frozen=True):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(msgspec.Struct, frozen=True):
    """One entry a text, in the order of the request."""

    object: str
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


_parse_embed = Parser(EmbedRequest, {"inputs": "A good film."}).parse
_parse_embeddings = Parser(EmbeddingsRequest, {"input": "A good film."}).parse
_encode = msgspec.json.Encoder().encode


class EmbedOptions(msgspec.Struct, frozen=True):
    """The part of an `EmbedRequest` that its answer needs."""

    normalize: bool
    uncut: bool


class EmbedForm(Form[EmbedOptions]):
    """The form of `POST /embed`, text-embeddings-inference's."""

    paths = ("/embed",)
    gives_vectors = True

    def parse(self, scope: Scope, body: bytes) -> Call[EmbedOptions]:
        """Reads an `EmbedRequest` from JSON."""
        request = _parse_embed(body)
        return Call(texts_of(request.inputs), EmbedOptions(request.normalize, request.truncate is False), request.model)

    def render(self, classified: Classified, options: EmbedOptions) -> Rendered:
        """Writes a list of numbers for each text.

        Raises:
            TextTooLong: a text was to be read whole and is longer than the model reads.
        """
        for index, answer in enumerate(classified.answers() if options.uncut else ()):
            if answer.encoded.truncated:
                most = classified.model.classifier.max_tokens
                uncut = TextTooLong(f"The text has more than {most} tokens and must not be truncated.")
                raise classified.placed(uncut, index)
        return _encode(_numbers(_vectors(classified, normalize=options.normalize))), JSON

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        return Operation(
            id="embed",
            tag=VECTORS,
            summary="Give sentence vectors, text-embeddings-inference's form",
            description=f"{OF_THE_PRIMARY} A text without tokens has zeros. {SHORTENED}",
            answer="One list of numbers a text, in order.",
            request=EmbedRequest,
            response=list[list[float]],
            examples=EXAMPLES["embed"],
            limits=limits,
            one_fails_all=True,
            errors=[InvalidRequest("Expected `str | array`, got `int` - at `$.inputs`."), UnknownModel()],
        )


class OpenAIOptions(msgspec.Struct, frozen=True):
    """The part of an `EmbeddingsRequest` that its answer needs."""

    base64: bool
    dimensions: int | None


class OpenAIForm(Form[OpenAIOptions]):
    """The form of `POST /v1/embeddings`, OpenAI's."""

    paths = ("/v1/embeddings",)
    gives_vectors = True

    def parse(self, scope: Scope, body: bytes) -> Call[OpenAIOptions]:
        """Reads an `EmbeddingsRequest` from JSON."""
        request = _parse_embeddings(body)
        options = OpenAIOptions(request.encoding_format == "base64", request.dimensions)
        return Call(texts_of(request.input), options, request.model)

    def check(self, model: ServedModel, options: OpenAIOptions) -> None:
        """Refuses another number of dimensions than the model's vectors have."""
        if options.dimensions not in (None, size := model.classifier.vector_size):
            raise InvalidRequest(f"`dimensions` must be left out or be {size}: the model's vectors cannot be cut.")

    def render(self, classified: Classified, options: OpenAIOptions) -> Rendered:
        """Writes an `EmbeddingsResponse` as JSON."""
        vectors_ND = _vectors(classified, normalize=True)
        rows: list[Any] = list(map(_in_base64, vectors_ND)) if options.base64 else _numbers(vectors_ND)
        data = [Embedding("embedding", index, row) for index, row in enumerate(rows)]
        tokens = sum(answer.encoded.num_tokens for answer in classified.answers())
        usage = EmbeddingUsage(tokens, tokens)
        return _encode(EmbeddingsResponse("list", data, classified.model.name, usage)), JSON

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        return Operation(
            id="embeddings_v1",
            tag=VECTORS,
            summary="Give sentence vectors, OpenAI's form",
            description=f"{OF_THE_PRIMARY} Fields that OpenAI's clients send and that are not listed have no effect. "
            f"{SHORTENED}",
            request=EmbeddingsRequest,
            response=EmbeddingsResponse,
            examples=EXAMPLES["openai"],
            limits=limits,
            one_fails_all=True,
            errors=[InvalidRequest("Expected `str | array`, got `int` - at `$.input`."), UnknownModel()],
        )


def _vectors(classified: Classified, *, normalize: bool) -> Vectors:
    """The vectors of all texts [N, D].

    Raises:
        AppError: a text failed; says which.
    """
    answers = classified.answers()
    if not answers:
        return np.zeros((0, 0), dtype=np.float32)
    vectors_ND = np.stack([answer.logits for answer in answers])
    return unit_length(vectors_ND) if normalize else vectors_ND


def _numbers(vectors_ND: Vectors) -> list[list[float]]:
    rounded: list[list[float]] = np.round(vectors_ND.astype(np.float64), DIGITS).tolist()
    return rounded


def _in_base64(vector_D: Vectors) -> str:
    return base64.b64encode(vector_D.astype("<f4").tobytes()).decode()
