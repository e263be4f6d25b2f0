"""The OpenAPI document: assembled from what stands beside each handler.

FastAPI describes its own routes; a `DocumentedRoute` outside of it carries its `Operation`. The examples of errors are
made by the code that answers errors, so they cannot drift from it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app.core.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    Forbidden,
    InvalidJson,
    NotReady,
    Overloaded,
    RateLimited,
    TooManyTexts,
    Unauthorized,
    UnsupportedEncoding,
    row_of,
)
from app.http.authorize import role_for
from app.http.deadline import TIMEOUT_HEADER
from app.http.problems import PROBLEM_MEDIA_TYPE, Problem, V2Error, error_response
from app.http.routing import NamedRoute

DESCRIPTION = """Small, fast text classification.

Every error, whatever its status, is one schema (`Problem`, RFC 9457). Every answer carries `X-Request-Id`."""

CLASSIFICATION, OTHER_FORMS, OPEN_INFERENCE = "classification", "forms of other servers", "open inference protocol"

EXAMPLE_TEXT = "A warm, funny and moving film."
EXAMPLE_SCORES = [{"label": "positive", "score": 0.993}, {"label": "negative", "score": 0.007}]

VERSION_HEADER = {
    "X-Model-Version": {
        "description": "First 12 hex digits of the digest of the checkpoint that answered.",
        "schema": {"type": "string"},
    }
}

_ERROR_HEADERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "retry-after": (
        "Retry-After",
        {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}},
    ),
    "www-authenticate": ("WWW-Authenticate", {"schema": {"type": "string"}}),
}

_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer …`"},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "`X-API-Key: …`, which counts first.",
    },
}

_REF = "#/components/schemas/{name}"
_TEXTS = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
"""Schema of a field that takes one text or a list of texts."""

Responses = dict[int | str, dict[str, Any]]


def content(kind: Any, media_type: str = "application/json", /, **examples: Any) -> dict[str, Any]:
    """Returns the content of a body whose type msgspec knows, with examples by name."""
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return {media_type: {"schema": schema, "examples": {name: {"value": value} for name, value in examples.items()}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The description of a route that FastAPI cannot describe.

    Attributes:
        id, tag, summary, description: see OpenAPI.
        request, response: content of the bodies.
        answer: describes the successful response.
        kinds: msgspec structs that the content refers to.
        max_texts: limit of the fields that take a text or a list of texts.
        errors: with which the route may answer.
        parameters: besides those of the path.
        headers: of the successful response, besides the version.
    """

    id: str
    tag: str
    summary: str
    description: str
    request: dict[str, Any]
    response: dict[str, Any]
    answer: str = "One entry a text, in the order of the request."
    kinds: Sequence[Any]
    max_texts: int = 0
    errors: Sequence[Exception]
    parameters: Sequence[dict[str, Any]] = ()
    headers: Mapping[str, Any] = field(default_factory=dict)

    def at(self, path: str) -> dict[str, Any]:
        """Returns the operation object for a path."""
        success = {"description": self.answer, "headers": {**self.headers, **VERSION_HEADER}, "content": self.response}
        named = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", path)
        ]
        return {
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "operationId": self.id,
            "parameters": [*named, *self.parameters],
            "requestBody": {"required": True, "content": self.request},
            "responses": {"200": success, **error_responses(*self.errors, path=path)},
        }

    def schemas(self) -> dict[str, Any]:
        """Returns the schemas that the operation refers to, by name."""
        _, schemas = msgspec.json.schema_components(self.kinds, ref_template=_REF)
        for schema in schemas.values():
            for value in schema["properties"].values():
                if value.get("anyOf") == _TEXTS:
                    value["anyOf"][1]["maxItems"] = self.max_texts
        return schemas


class DocumentedRoute(NamedRoute):
    """A route for POST without FastAPI's validation, and its place in the document."""

    def __init__(self, path: str, endpoint: ASGIApp, operation: Operation) -> None:
        super().__init__(path, endpoint, methods=["POST"], include_in_schema=False)
        self.operation = operation


def request_errors(*, max_body_bytes: int, max_texts: int, deadline_ms: int) -> list[Exception]:
    """Returns the errors that every request with texts in its body may get."""
    return [
        InvalidJson("JSON is malformed: invalid character (byte 12)."),
        BodyTooLarge.over(max_body_bytes),
        TooManyTexts.over(max_texts, max_texts + 1),
        UnsupportedEncoding(),
        Overloaded(retry_after_s=2),
        NotReady(retry_after_s=1),
        DeadlineExceeded.after(deadline_ms / 1000),
    ]


def error_responses(*errors: Exception, path: str = "/") -> Responses:
    """Returns the responses of these errors at a path; `default` stands for what any route may answer."""
    responses: Responses = {}
    for error in errors:
        _add(responses, str(error_response(path, error).status_code), row_of(error).title, path, error)
    for error in (HTTPException(404), HTTPException(405, headers={"Allow": "GET"}), RuntimeError()):
        _add(responses, "default", "Not found, a wrong method, or an error of the server", path, error)
    return responses


def _add(responses: dict[Any, dict[str, Any]], key: str, description: str, path: str, error: Exception) -> None:
    answer = error_response(path, error)
    body = json.loads(bytes(answer.body))
    kind = Problem if answer.media_type == PROBLEM_MEDIA_TYPE else V2Error
    response = responses.setdefault(key, {"description": description})
    media = response.setdefault("content", {}).setdefault(answer.media_type, {**content(kind)["application/json"]})
    media["examples"][body.get("error_type", row_of(error).code)] = {"value": body}
    for name, (shown, described) in _ERROR_HEADERS.items():
        if name in answer.headers:
            response.setdefault("headers", {})[shown] = described


def timeout_parameter(deadline_ms: int) -> dict[str, Any]:
    """Returns the header with which a client shortens its deadline."""
    return {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "description": f"Give up after so many milliseconds; at most the server's {deadline_ms}.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    }


def document_of(app: FastAPI, *, keys: bool, public_metrics: bool) -> Callable[[], dict[str, Any]]:
    """Returns a replacement for `app.openapi` that knows all routes; it builds the document at the first call.

    Args:
        app: with all its routes.
        keys: whether the server asks for keys.
        public_metrics: whether `/metrics` needs none.
    """
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(_document(app))
            if keys:
                _require_keys(document, public_metrics)
        return document

    return openapi


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, schemas = msgspec.json.schema_components((Problem, V2Error), ref_template=_REF)
    paths: dict[str, Any] = {}
    for route in app.routes:
        if isinstance(route, DocumentedRoute):
            paths[route.path] = {"post": route.operation.at(route.path)}
            schemas = route.operation.schemas() | schemas
    for path, operations in document["paths"].items():
        paths.setdefault(path, {}).update(operations)
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    return document | {"paths": paths}


def _require_keys(document: dict[str, Any], public_metrics: bool) -> None:
    document["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            role = role_for(method.upper(), path, public_metrics)
            operation["security"] = [] if role is None else [{"bearer": []}, {"header": []}]
            if role is None:
                continue
            for error in (
                Unauthorized(),
                Forbidden(f"This needs a key of the role {role}."),
                RateLimited(retry_after_s=2),
            ):
                _add(operation["responses"], str(row_of(error).status), row_of(error).title, path, error)
