"""`POST /` and `POST /invocations`: the form of Hugging Face's clients and of SageMaker's containers.

`huggingface_hub` and huggingface.js take the first element of the answer, so it is a list of lists even for one text.
"""

from typing import Annotated, Any, Literal

import msgspec
from starlette.types import Receive, Scope, Send

from app.api.endpoint import Classified, answer, built, classify, finished, texts_of
from app.api.rendering import prediction
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest
from app.deployment.registry import Registry, ServedModel
from app.http.body import read_body
from app.http.json import Parser
from app.http.routing import NamedRoute

PATHS = ("/", "/invocations")

FUNCTION_OF = {"single_label": "softmax", "multi_label": "sigmoid"}
"""What a checkpoint's probabilities are made with, by task. Other functions would need logits, which nobody keeps."""


class HubParameters(msgspec.Struct, forbid_unknown_fields=True):
    """How the answer should look."""

    top_k: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="Only so many of the best labels; all if absent."),
    ] = None
    function_to_apply: Annotated[
        Literal["softmax", "sigmoid", "none"] | None,
        msgspec.Meta(
            description="`softmax` for a single-label model, `sigmoid` for a multi-label one: what the model does "
            "anyway. Another one gets 422."
        ),
    ] = None


class HubRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Texts to classify, as Hugging Face's clients send them."""

    inputs: Annotated[str | list[str], msgspec.Meta(description="One text, or a list of separate texts, never a pair.")]
    parameters: HubParameters | None = None
    options: Annotated[dict[str, Any] | None, msgspec.Meta(description="Has no effect.")] = None


_parse = Parser(HubRequest).parse
_encode = msgspec.json.Encoder().encode


def hub_routes(registry: Registry, settings: RequestLimits) -> list[NamedRoute]:
    """Both routes."""
    endpoint = Hub(registry, settings)
    return [NamedRoute(path, endpoint, methods=["POST"], include_in_schema=False) for path in PATHS]


class Hub:
    """The endpoint of both."""

    def __init__(self, registry: Registry, settings: RequestLimits) -> None:
        self._registry = registry
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request by the default model.

        Raises:
            AppError: it gets no answer; says why.
        """
        begun, top_k = self._begin(scope, await read_body(scope, receive, self._settings.max_body_bytes))
        classified = await finished(begun, scope, receive)
        labels = classified.model.classifier.labels

        def build() -> bytes:
            return _encode(classified.all(lambda row, encoded: prediction(labels, row, encoded, top_k).scores))

        await answer(send, classified, await built(self._registry, classified, build))

    def _begin(self, scope: Scope, body: bytes) -> tuple[Classified, int | None]:
        call = _parse(body)
        parameters = call.parameters or HubParameters()
        model = self._registry.get(None)
        _check_function(model, parameters.function_to_apply)
        return classify(model, self._settings, scope, texts_of(call.inputs)), parameters.top_k


def _check_function(model: ServedModel, wanted: str | None) -> None:
    task = model.classifier.task
    if wanted not in (None, FUNCTION_OF[task]):
        raise InvalidRequest(
            f"The model is {task.replace('_', '-')}: its scores are made with `{FUNCTION_OF[task]}`, and "
            "`parameters.function_to_apply` can ask for nothing else."
        )
