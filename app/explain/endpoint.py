"""Endpoint of `POST /explain`: explains the labels of texts in a separate process (`app.explain.process`).

`docs/design/0017-looking-inside.md` describes the answer, `model.explain.explanation` its fields.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
from starlette.types import Receive, Scope, Send

from app.api.endpoint import JSON, texts_of, version_header
from app.api.openapi import CLASSIFICATION, DocumentedRoute, Operation
from app.api.schemas import ModelName, Texts, Version, entries
from app.config.sections import ExplainSettings, RequestLimits
from app.core.errors import DeadlineExceeded, InvalidRequest, NotReady, TooManyTexts, UnknownModel
from app.deployment.registry import Registry
from app.explain.queue import Explanations
from app.http.body import read_body
from app.http.deadline import timeout_s
from app.http.disconnect import until_client_leaves
from app.http.json import Parser
from app.http.request_log import RequestRecord
from model.explain.explanation import Explanation, Options, Unexplained

PATH = "/explain"


class ExplainRequest(Options, frozen=True, forbid_unknown_fields=True):
    """Texts to explain, and how."""

    inputs: Texts
    model: ModelName = None


class ExplainResponse(msgspec.Struct, frozen=True):
    """One entry a text, in the order of the request."""

    model: str
    version: Version
    explanations: Annotated[list[Any], entries("Explanation", "Unexplained")]


EXAMPLES: dict[str, dict[str, Any]] = msgspec.json.decode(Path(__file__).with_name("examples.json").read_bytes())
"""Requests with the answers of the shipped checkpoint, by topic; `failed` is the answer for a text that is too long."""

NO_SUCH_LABEL = "The model has no such label; GET /models lists those that it has - at `$.label`."

_parse = Parser(ExplainRequest, {"inputs": "A good film."}).parse
_encode = msgspec.json.Encoder().encode


def explain_route(
    registry: Registry, explanations: Explanations, settings: ExplainSettings, limits: RequestLimits
) -> DocumentedRoute:
    """Makes the route of `POST /explain`."""
    endpoint = Explain(registry, explanations, settings, limits)
    return DocumentedRoute(PATH, endpoint, _operation(settings, limits))


def _operation(settings: ExplainSettings, limits: RequestLimits) -> Operation:
    died = NotReady("The process that explains died and is being replaced.", retry_after_s=2)
    return Operation(
        id="explain",
        tag=CLASSIFICATION,
        summary="Explain what label texts get",
        description="For each text what its tokens and words do to the log-odds of its label (integrated gradients, "
        "and occlusion as an independent check), the scores of its sentences and the gates of the network. At most "
        f"{settings.max_texts} texts a request, of at most {settings.max_tokens} tokens each. One "
        "costs dozens of predictions and is computed by a process of its own, of low priority. "
        "A text that cannot be explained gets an `error` in its place.",
        request=ExplainRequest,
        response=ExplainResponse,
        kinds=(Explanation, Unexplained),
        examples=EXAMPLES,
        limits=limits.model_copy(update={"max_texts": settings.max_texts, "deadline_ms": settings.deadline_ms}),
        errors=[died, UnknownModel(), InvalidRequest(NO_SUCH_LABEL), RuntimeError()],
    )


class Explain:
    """ASGI endpoint of `POST /explain`."""

    def __init__(
        self, registry: Registry, explanations: Explanations, settings: ExplainSettings, limits: RequestLimits
    ) -> None:
        self._registry = registry
        self._explanations = explanations
        self._settings = settings
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request for explanations.

        Raises:
            AppError: the request cannot be answered; says why.
        """
        settings = self._settings
        call = _parse(await read_body(scope, receive, self._limits.max_body_bytes))
        texts, most = texts_of(call.inputs), settings.max_texts
        if len(texts) > most:
            raise TooManyTexts.over(most, len(texts), streams=False)
        model = self._registry.get(call.model)
        model.check_labels()
        if call.label is not None and call.label not in model.classifier.labels:
            raise InvalidRequest(NO_SUCH_LABEL)
        record = RequestRecord.of(scope)
        record.model, record.texts = model.name, len(texts)
        patience_s = timeout_s(scope, settings.deadline_ms)
        permit = self._explanations.admit(texts, patience_s)
        try:
            if record.account is not None:
                record.account.classified(len(texts))
            options = msgspec.convert(call, Options, from_attributes=True)
            explaining = asyncio.ensure_future(self._explanations.explain(model, texts, options, permit))
            async with asyncio.timeout(patience_s):
                explained = await until_client_leaves(explaining, receive)
        except TimeoutError:
            raise DeadlineExceeded.after(patience_s) from None
        finally:
            permit.release()
        record.tokens = sum(text.tokens for text in explained)
        body = _encode(ExplainResponse(model.name, model.version, [text.entry for text in explained]))
        headers = [(b"content-length", str(len(body)).encode()), *JSON, version_header(model)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
