"""Responses to requests that failed, in the form of the protocol that the path belongs to.

Every error, whatever its status, is one schema: RFC 9457's problem, with two members that Hugging Face's clients show.
Under `/v2` errors have the form of the Open Inference Protocol.
"""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import AppError, InvalidRequest, Row, describe
from app.http.example_call import with_example
from app.http.json import PLAIN_FIELD
from app.http.routing import allowed_methods, route_path

PROBLEM_MEDIA_TYPE = "application/problem+json"
V2_PREFIX = "/v2"

_HTTP_DETAILS = {
    404: "There is nothing at this path. /docs lists what there is.",
    405: "This path does not take this method. The Allow header lists those that it takes.",
}


class V2Error(msgspec.Struct, frozen=True):
    """Body of every error of the Open Inference Protocol."""

    error: str


class Problem(msgspec.Struct, frozen=True):
    """Body of every answer that is not a success (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    error_type: str


def error_response(path: str, error: Exception) -> Response:
    """Returns the answer to a request for `path` that failed with `error`."""
    of_v2 = path == V2_PREFIX or path.startswith(V2_PREFIX + "/")
    return v2_error_response(error) if of_v2 and not isinstance(error, HTTPException) else problem_response(error)


def problem_response(error: Exception) -> Response:
    """Returns `error` as a problem; an unforeseen one says nothing of its cause."""
    headers = error.headers if isinstance(error, AppError) else {}
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        row = Row(error.status_code, phrase.lower().replace(" ", "_").replace("-", "_"), phrase)
        detail = _HTTP_DETAILS.get(error.status_code, phrase + ".")
        headers.update(error.headers or {})
        if allowed := headers.get("Allow"):
            detail = f"{detail.removesuffix('.')}: {allowed}."
    else:
        row, detail = describe(error)
    problem = Problem(f"urn:sluice:problem:{row.code}", row.title, row.status, detail, detail, row.code)
    return Response(msgspec.json.encode(problem), row.status, headers, PROBLEM_MEDIA_TYPE)


def v2_error_response(error: Exception) -> Response:
    """Returns `error` as the Open Inference Protocol has it; there a request of the wrong form is 400."""
    row, detail = describe(error)
    status = 400 if isinstance(error, InvalidRequest) else row.status
    headers = error.headers if isinstance(error, AppError) else {}
    return Response(msgspec.json.encode(V2Error(detail)), status, headers, "application/json")


def response_bytes(response: Response, *, close: bool) -> bytes:
    """Returns a response as it goes over a connection of HTTP/1.1 that no application answers.

    Args:
        response: whose body is there at once.
        close: say that the connection closes after it.
    """
    status = response.status_code
    headers = [b"%s: %s\r\n" % header for header in response.raw_headers if header[0] != b"connection"]
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return b"".join([line, *headers, b"connection: close\r\n" * close, b"\r\n", bytes(response.body)])


async def _handle(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):  # FastAPI's own answer would repeat the input
        first = error.errors()[0]
        where = ".".join(part if PLAIN_FIELD.fullmatch(part) else "?" for part in map(str, first["loc"]))
        error = InvalidRequest(f"{first['msg']} - at `{where}`.")
    elif isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(allowed_methods(request.scope))
        error = HTTPException(error.status_code, headers={"Allow": allowed} if allowed else error.headers)
    return error_response(route_path(request.scope), with_example(error, request.scope))


async def _pass_on(_request: Request, error: Exception) -> Response:
    raise error


Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]

EXCEPTION_HANDLERS: Mapping[type[Exception], Handler] = {
    HTTPException: _handle,
    RequestValidationError: _handle,
    Exception: _pass_on,
}
"""The handlers for FastAPI's router. All but its own errors leave it unanswered: `RequestLog` answers them, as those of
the routes that do not lie in it."""
