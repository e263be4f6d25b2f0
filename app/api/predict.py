"""`POST /predict`, on the shortest path there is: an ASGI application, bytes in, `msgspec` both ways, bytes out.

A FastAPI route with pydantic models costs about 100 µs a request more than this one. `app.api.openapi` documents it.
"""

from starlette.types import Receive, Scope, Send

from app.api.endpoint import Classified, answer, built, classify, finished, texts_of
from app.api.rendering import Entry, failed, predict_body, prediction
from app.api.schemas import PredictRequest
from app.config.sections import RequestLimits
from app.core.classifier import Probabilities
from app.deployment.registry import Registry
from app.http.body import read_body
from app.http.json import Parser
from app.http.routing import NamedRoute
from model.text import Encoded

parse_predict = Parser(PredictRequest).parse


def predict_route(registry: Registry, settings: RequestLimits) -> NamedRoute:
    """The route of `POST /predict`."""
    return NamedRoute("/predict", Predict(registry, settings), methods=["POST"], include_in_schema=False)


class Predict:
    """The endpoint."""

    def __init__(self, registry: Registry, settings: RequestLimits) -> None:
        self._registry = registry
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request.

        Raises:
            AppError: it gets no answer, or none of its texts does; says why.
        """
        begun, top_k = self._begin(scope, await read_body(scope, receive, self._settings.max_body_bytes))
        classified = await finished(begun, scope, receive)
        model = classified.model
        labels = model.classifier.labels

        def entry(row: Probabilities, encoded: Encoded) -> Entry:
            return prediction(labels, row, encoded, top_k)

        def build() -> bytes:
            return predict_body(model, classified.each(entry, failed))

        await answer(send, classified, await built(self._registry, classified, build))

    def _begin(self, scope: Scope, body: bytes) -> tuple[Classified, int | None]:
        call = parse_predict(body)
        model = self._registry.get(call.model)
        return classify(model, self._settings, scope, texts_of(call.inputs)), call.top_k
