"""Bodies of requests and answers: `msgspec` structs for `/predict`, pydantic where speed is no concern."""

from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from app.api.selection import Labels, MinPrecision
from model.explain.explanation import LabelScore

Texts = Annotated[str | list[str], msgspec.Meta(description="One text, or a list of separate texts, never a pair.")]
ModelName = Annotated[str | None, msgspec.Meta(description="Name of the model; the server's default if absent.")]
Version = Annotated[str, msgspec.Meta(description="First 12 hex digits of the checkpoint's digest.")]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


def entries(*names: str) -> msgspec.Meta:
    """Describes a list of structs of these names, which msgspec writes but, without a tag, cannot describe."""
    structs = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return msgspec.Meta(extra_json_schema={"items": {"anyOf": structs}})


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Texts to classify, and by which model."""

    inputs: Annotated[
        str | list[str],
        msgspec.Meta(
            description="One text, or a list of separate texts, never a pair. An empty list gets an empty list."
        ),
    ]
    model: ModelName = None
    top_k: Annotated[
        AtLeastOne | None, msgspec.Meta(description="Only so many of the best labels in `scores`; all if absent.")
    ] = None
    labels: Labels = None
    min_precision: MinPrecision = None


class Prediction(msgspec.Struct, frozen=True):
    """Answer for one text."""

    label: Annotated[
        str | None, msgspec.Meta(description="The most probable label; null if it does not reach `min_precision`.")
    ]
    score: Annotated[float, msgspec.Meta(ge=0, le=1, description="Calibrated probability of the most probable label.")]
    scores: Annotated[
        list[LabelScore],
        msgspec.Meta(
            description="Every label, or those of `labels`, or the `top_k` best of them, most probable first. All "
            "together sum to 1 for a single-label model; for a multi-label one each is a probability by itself."
        ),
    ]
    tokens: Annotated[int, msgspec.Meta(ge=0, description="Tokens that were read.")]
    truncated: Annotated[bool, msgspec.Meta(description="True if the text was longer than the model reads.")]


class TextError(msgspec.Struct, frozen=True):
    """The reason why one text has no answer."""

    type: Annotated[str, msgspec.Meta(description="Stable code, such as `text_too_long` or `compute_error`.")]
    detail: str


class FailedPrediction(msgspec.Struct, frozen=True):
    """Stands in the place of a text that failed by itself."""

    error: TextError


class PredictResponse(msgspec.Struct, frozen=True):
    """One entry a text, in the order of the request."""

    model: str
    version: Version
    predictions: Annotated[list[Any], entries("Prediction", "FailedPrediction")]


class Schema(BaseModel):
    """Part of an answer whose fields are described by the docstrings below them."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Limits(Schema):
    """Limits of a request to the model."""

    max_tokens: int
    """Longer texts are cut, and say so."""
    max_chars: int
    """Longer texts get an error in their place."""
    max_texts: int
    """Texts in one request."""
    max_body_bytes: int
    """Bytes of one request."""
    deadline_ms: int
    """Time to the answer, at most."""


class VersionCard(Schema):
    """One loaded version of a model."""

    version: str
    role: Annotated[
        str,
        Field(
            description="`primary`, `canary` (answers its share of requests), `shadow` (gets copies of its share) or "
            "`retiring` (finishes what it has)."
        ),
    ]
    share: float
    """Share of requests, from 0 to 1."""
    since: str
    """Time when it began to serve, in UTC."""
    state: str
    """`running` if it takes requests."""


class Refused(Schema):
    """The reason why the last attempt to load another checkpoint changed nothing."""

    at: str
    """Time of the attempt, in UTC."""
    detail: str


class Precision(Schema):
    """A value of `min_precision` that the model was measured for."""

    precision: float
    """Share of right answers, at least, among those that are given."""
    threshold: float | None
    """Probability from which they are given; null if the model cannot reach it."""
    coverage: float
    """Share of held-out texts that get an answer."""


class ModelCard(Schema):
    """A loaded model; what is not in `versions` is of its primary version."""

    name: str
    version: str
    versions: list[VersionCard]
    last_failure: Refused | None
    """Last failure to load another checkpoint; null once one was loaded."""
    task: str
    """`single_label`, `multi_label`, or `embedding` if it gives sentence vectors and no labels."""
    labels: list[str]
    """None if it gives vectors alone."""
    precisions: list[Precision]
    """Values of `min_precision`, rising; none if the checkpoint has no thresholds."""
    limits: Limits
    device: str
    dtype: str
    vector_size: int
    """Numbers of a sentence vector."""
    state: str
    """`running` if it takes requests."""
    metrics: dict[str, Any]
    """Scores measured when it was trained."""


class ModelList(Schema):
    """All models that are loaded."""

    default: str
    """Name of the model that answers requests that name none."""
    models: list[ModelCard]


class Health(Schema):
    """State of a healthy server; otherwise the answer is a problem with status 503."""

    status: str
    models: dict[str, str]
    """State of each model."""
