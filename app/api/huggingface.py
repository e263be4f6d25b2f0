"""`POST /` and `POST /invocations`: the form of Hugging Face's clients and of SageMaker's containers.

`huggingface_hub` and huggingface.js take the first element of the answer, so it is a list of lists even for one text.
"""

from typing import Annotated, Any, Literal

import msgspec
from starlette.types import Scope

from app.api.endpoint import JSON, Call, Classified, Form, Rendered, texts_of
from app.api.openapi import EXAMPLES, OTHER_FORMS, Operation
from app.api.rendering import prediction
from app.api.schemas import AtLeastOne, Texts
from app.api.selection import Selection
from app.config.sections import RequestLimits
from app.core.classifier import Probabilities
from app.core.errors import InvalidRequest, TextTooLong
from app.core.job import Answer
from app.http.json import Parser
from model.config import Task
from model.probabilities import probabilities

TASK_OF: dict[str, Task] = {"softmax": "single_label", "sigmoid": "multi_label"}
"""Task whose probabilities a function makes of logits."""

UNCUT = (False, "do_not_truncate")
"""Values of `truncation` with which a text is read whole or not at all."""


class HubParameters(msgspec.Struct, forbid_unknown_fields=True):
    """Options of reading and of the answer, as transformers' pipeline has them."""

    top_k: Annotated[
        AtLeastOne | None,
        msgspec.Meta(description="Only so many of the best labels; all if absent."),
    ] = None
    return_all_scores: Annotated[
        bool | None, msgspec.Meta(description="`false` is `top_k` 1 where that is absent.")
    ] = None
    truncation: Annotated[
        bool | Literal["longest_first", "only_first", "do_not_truncate"] | None,
        msgspec.Meta(
            description="The end of a text that is longer than the model reads is left out, unless this is `false` or "
            "`do_not_truncate`: then such a text gets 413."
        ),
    ] = None
    max_length: Annotated[
        AtLeastOne | None,
        msgspec.Meta(description="Tokens of a text that are read; no more than the model reads, unless uncut."),
    ] = None
    function_to_apply: Annotated[
        Literal["softmax", "sigmoid", "none"] | None,
        msgspec.Meta(
            description="Makes the scores of the logits: by default `softmax` for a single-label model and `sigmoid` "
            "for a multi-label one. Only with it are the scores calibrated. `none` gives the logits themselves, over "
            "the model's temperature."
        ),
    ] = None


class HubScore(msgspec.Struct, frozen=True):
    """A label and its score."""

    label: str
    score: Annotated[
        float, msgspec.Meta(description="A calibrated probability, unless `function_to_apply` asks for something else.")
    ]


class HubRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Texts to classify, as Hugging Face's clients send them."""

    inputs: Texts
    parameters: HubParameters | None = None
    options: Annotated[dict[str, Any] | None, msgspec.Meta(description="Has no effect.")] = None


_parse = Parser(HubRequest, {"inputs": "A good film."}).parse
_encode = msgspec.json.Encoder().encode


class HuggingFaceForm(Form[HubParameters]):
    """The form of `POST /` and `POST /invocations`, answered by the default model."""

    paths = ("/", "/invocations")

    def parse(self, scope: Scope, body: bytes) -> Call[HubParameters]:
        """Reads a `HubRequest` from JSON."""
        request = _parse(body)
        options = request.parameters or HubParameters()
        max_tokens = None if options.truncation in UNCUT else options.max_length
        return Call(texts_of(request.inputs), options, max_tokens=max_tokens)

    def render(self, classified: Classified, options: HubParameters) -> Rendered:
        """Writes a list of scores for each text.

        Raises:
            TextTooLong: a text was to be read whole and is longer than the model reads.
        """
        classifier, answers = classified.model.classifier, classified.answers()
        for index, answer in enumerate(answers if options.truncation in UNCUT else ()):
            if answer.encoded.truncated:
                uncut = TextTooLong(f"The text has more than {classifier.max_tokens} tokens and must not be truncated.")
                raise classified.placed(uncut, index)
        top_k = options.top_k or (1 if options.return_all_scores is False else None)
        wanted = options.function_to_apply
        if wanted is not None and TASK_OF.get(wanted) != classifier.task:
            answers = [answer._replace(probabilities=_applied(wanted, answer)) for answer in answers]
        return _encode([prediction(classifier.labels, answer, Selection(top_k)).scores for answer in answers]), JSON

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        sagemaker = path != "/"
        return Operation(
            id="invocations" if sagemaker else "text_classification",
            tag=OTHER_FORMS,
            summary=f"Classify texts, {'SageMaker' if sagemaker else 'Hugging Face'}'s form",
            description="By the default model. The answer is a list of labels for each text, most probable first, in "
            "a list even for one text.",
            answer="One list a text, in order.",
            request=HubRequest,
            response=list[list[HubScore]],
            examples=EXAMPLES["huggingface"],
            limits=limits,
            one_fails_all=True,
            errors=[InvalidRequest("Expected `str | array`, got `int` - at `$.inputs`.")],
        )


def _applied(function: str, answer: Answer) -> Probabilities:
    """Returns the scores that a function, not the model's own, makes of its logits."""
    task = TASK_OF.get(function)
    return answer.logits if task is None else probabilities(answer.logits, task=task)
