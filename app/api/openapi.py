"""The OpenAPI document: assembled from what stands beside each handler.

FastAPI describes its own routes; a `DocumentedRoute` outside of it carries its `Operation`. The examples of errors are
made by the code that answers errors, so they cannot drift from it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app.config.sections import RequestLimits
from app.core.errors import (
    BodyTooLarge,
    ComputeError,
    DeadlineExceeded,
    Forbidden,
    InvalidJson,
    NotReady,
    Overloaded,
    RateLimited,
    TextTooLong,
    TooManyTexts,
    Unauthorized,
    UnsupportedEncoding,
    row_of,
)
from app.http.authorize import role_for
from app.http.deadline import TIMEOUT_HEADER
from app.http.problems import PROBLEM_MEDIA_TYPE, Problem, V2Error, error_response
from app.http.query import check_query
from app.http.routing import NamedRoute

DESCRIPTION = """Small, fast text classification.

Every error, whatever its status, is one schema (`Problem`, RFC 9457). Every answer carries `X-Request-Id`,
unless the request was refused before it was read: `408`, and some `400`, `431` and `503`."""

CLASSIFICATION, VECTORS = "classification", "sentence vectors"
OTHER_FORMS, OPEN_INFERENCE = "forms of other servers", "open inference protocol"

EXAMPLES: dict[str, dict[str, dict[str, Any]]] = json.loads(Path(__file__).with_name("examples.json").read_bytes())
"""Requests and answers of each wire form, by topic."""


def described(type_: str, description: str = "", **bounds: int) -> dict[str, Any]:
    """Returns the description of a header or a parameter of one type."""
    return ({"description": description} if description else {}) | {"schema": {"type": type_, **bounds}}


_VERSION_HEADER = described("string", "First 12 hex digits of the digest of the checkpoint that answered.")
_ERROR_HEADERS = {
    "Retry-After": described("integer", "Seconds until it is worth trying again."),
    "Accept-Encoding": described("string", "Codings that a body may have."),
    "WWW-Authenticate": described("string"),
}

_KEY_HEADER = "`X-API-Key: …`, which counts first."
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer …`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": _KEY_HEADER},
}

ONE_FAILS_ALL = "There is no place for an error of one text: it fails the request."

_REF = "#/components/schemas/{name}"
_TEXTS = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
"""Schema of a field that takes one text or a list of texts."""

Responses = dict[int | str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The description of a route that FastAPI cannot describe.

    Attributes:
        id, tag, summary, description: see OpenAPI.
        request, response, kinds: types of the bodies, and further structs that these refer to.
        examples: requests and answers by topic.
        answer: describes the successful response.
        media_type: of both bodies.
        binary: True if both may also be followed by bytes.
        limits: of the request, from which come the errors of every form and the header for a shorter deadline.
        one_fails_all: True if a text that fails, fails the request.
        errors: further ones with which the route may answer.
        parameters: besides those of the path.
        headers: of the successful response, besides the version.
    """

    id: str
    tag: str
    summary: str
    description: str
    request: Any
    response: Any
    kinds: Sequence[Any] = ()
    examples: Mapping[str, Mapping[str, Any]]
    answer: str = "One entry a text, in the order of the request."
    media_type: str = "application/json"
    binary: bool = False
    limits: RequestLimits | None = None
    one_fails_all: bool = False
    errors: Sequence[Exception] = ()
    parameters: Sequence[dict[str, Any]] = ()
    headers: Mapping[str, Any] = field(default_factory=dict)

    def at(self, path: str) -> dict[str, Any]:
        """Returns the operation object for a path."""
        parameters = [
            {"name": name, "in": "path", "required": True, **described("string")}
            for name in re.findall(r"{(\w+)}", path)
        ]
        parameters.extend(self.parameters)
        if self.limits is not None:
            about = f"Give up after so many milliseconds; at most the server's {self.limits.deadline_ms}."
            bounds = described("integer", about, minimum=1, maximum=999_999_999)
            parameters.append({"name": TIMEOUT_HEADER, "in": "header", **bounds})
        success = {
            "description": self.answer,
            "headers": {**self.headers, "X-Model-Version": _VERSION_HEADER},
            "content": self._content(self.response, "answer"),
        }
        return {
            "tags": [self.tag],
            "summary": self.summary,
            "description": f"{self.description} {ONE_FAILS_ALL}" if self.one_fails_all else self.description,
            "operationId": self.id,
            "parameters": parameters,
            "requestBody": {"required": True, "content": self._content(self.request, "request")},
            "responses": {"200": success, **error_responses(*self._errors(), path=path)},
        }

    def schemas(self) -> dict[str, Any]:
        """Returns the schemas that the operation refers to, by name."""
        _, schemas = msgspec.json.schema_components((self.request, self.response, *self.kinds), ref_template=_REF)
        for schema in schemas.values():
            for value in schema["properties"].values():
                if value.get("anyOf") == _TEXTS and self.limits is not None:
                    value["anyOf"][1]["maxItems"] = self.limits.max_texts
        return schemas

    def _content(self, kind: Any, side: str) -> dict[str, Any]:
        (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
        examples = {name: {"value": found[side]} for name, found in self.examples.items() if side in found}
        binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}} if self.binary else {}
        return {self.media_type: {"schema": schema, "examples": examples}, **binary}

    def _errors(self) -> Iterator[Exception]:
        if limits := self.limits:
            yield from body_errors(limits.max_body_bytes)
            yield TooManyTexts.over(limits.max_texts, limits.max_texts + 1)
            yield from (Overloaded(retry_after_s=2), NotReady(retry_after_s=1))
            yield DeadlineExceeded.after(limits.deadline_ms / 1000)
            if self.one_fails_all:
                yield from (TextTooLong.over(limits.max_chars, limits.max_chars + 1), ComputeError())
        yield from self.errors


def body_of(kind: type[msgspec.Struct], *, required: bool = True) -> dict[str, Any]:
    """Returns FastAPI's `openapi_extra` for the body of a route that reads it by itself."""
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template="{name}")
    content = {"application/json": {"schema": definitions[schema["$ref"]]}}
    return {"requestBody": {"required": required, "content": content}}


def body_errors(max_bytes: int) -> list[Exception]:
    """Returns the errors of any body of JSON that may have so many bytes."""
    malformed = InvalidJson("JSON is malformed: invalid character (byte 12).")
    return [malformed, BodyTooLarge.over(max_bytes), UnsupportedEncoding()]


class DocumentedRoute(NamedRoute):
    """A route for POST without FastAPI's validation, and its place in the document.

    It takes the documented parameters in its query and no others, if its body takes the documented fields alone.
    """

    def __init__(self, path: str, endpoint: ASGIApp, operation: Operation) -> None:
        super().__init__(path, endpoint, methods=["POST"], include_in_schema=False)
        self.operation = operation
        self._query = [one["name"] for one in operation.parameters if one["in"] == "query"]
        kinds = (operation.request, *operation.kinds)  # of a stream the first kind is that of a line
        self._body: Any = next(kind for kind in kinds if hasattr(kind, "__struct_config__"))

    def check_query(self, query: bytes) -> None:
        """Refuses parameters that are not documented.

        Raises:
            InvalidRequest: there is one; says where it belongs.
        """
        if self._body.__struct_config__.forbid_unknown_fields:
            check_query(query, self._query, self._body.__struct_encode_fields__)


def error_responses(*errors: Exception, path: str = "/") -> Responses:
    """Returns the responses of these errors at a path; `default` stands for what any route may answer."""
    responses: Responses = {}
    for error in errors:
        _add(responses, path, error)
    for error in (HTTPException(404), HTTPException(405, headers={"Allow": "GET"}), RuntimeError()):
        _add(responses, path, error, "default", "Not found, a wrong method, or an error of the server")
    return responses


def _add(responses: dict[Any, dict[str, Any]], path: str, error: Exception, key: str = "", title: str = "") -> None:
    answer = error_response(path, error)
    body, row = json.loads(bytes(answer.body)), row_of(error)
    kind = Problem if answer.media_type == PROBLEM_MEDIA_TYPE else V2Error
    empty = {"schema": {"$ref": _REF.format(name=kind.__name__)}, "examples": {}}
    response = responses.setdefault(key or str(answer.status_code), {"description": title or row.title, "content": {}})
    media = response["content"].setdefault(answer.media_type, empty)
    media["examples"][body.get("error_type", row.code)] = {"value": body}
    for name, header in _ERROR_HEADERS.items():
        if name in answer.headers:
            response.setdefault("headers", {})[name] = header


def document_of(app: FastAPI, *, keys: bool, public_metrics: bool) -> dict[str, Any]:
    """Returns the OpenAPI document of an application; with `keys`, all routes but a few ask for one."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, schemas = msgspec.json.schema_components((Problem, V2Error), ref_template=_REF)
    paths: dict[str, Any] = {}
    for route in app.routes:
        if isinstance(route, DocumentedRoute):
            paths[route.path] = {"post": route.operation.at(route.path)}
            schemas = route.operation.schemas() | schemas
    for path, operations in document["paths"].items():
        paths.setdefault(path, {}).update(operations)
    document["paths"] = paths
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    if keys:
        _require_keys(document, public_metrics)
    return document


def _require_keys(document: dict[str, Any], public_metrics: bool) -> None:
    document["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            role = role_for(method.upper(), path, public_metrics)
            operation["security"] = [] if role is None else [{"bearer": []}, {"header": []}]
            missing = Forbidden(f"This needs a key of the role {role}.")
            for error in () if role is None else (Unauthorized(), missing, RateLimited(retry_after_s=2)):
                _add(operation["responses"], path, error)
