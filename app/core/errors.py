"""What can go wrong while serving, and the only table from error to HTTP status and stable code.

AppError
├── SettingsError            the server cannot start with these settings (never reaches a client)
├── RequestError             the request itself is at fault; sending it again changes nothing
│   ├── InvalidJson, InvalidRequest, UnsupportedEncoding
│   ├── BodyTooLarge, TooManyTexts, TextTooLong, HeadersTooLarge
│   ├── Unauthorized, Forbidden
│   ├── RequestTooSlow
│   ├── UnknownModel
│   └── CheckpointRefused, PathRefused, Conflict      of `/admin`
├── ServiceError             the server is at fault or busy; the same request may work later
│   ├── Overloaded, NotReady, DeadlineExceeded
│   └── ComputeError         one text could not be computed though its neighbours could
├── RateLimited              the key is over its rate; the same request works later
└── ClientGone               nobody is left to read the answer

Every answer that is not a success is one schema, RFC 9457's problem with two members that Hugging Face clients show.
A detail is written here or by the raiser and never repeats what the client sent.
"""

import http
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from model.errors import InputError, ModelError

PROBLEM_MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED_REQUEST = 499
"""Status of a request whose client left; only logs and metrics see it. Source: nginx's convention."""


class AppError(Exception):
    """Root of every error that `app` raises on purpose; `str(error)` is a sentence fit for the client."""

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says besides its body."""
        return {}


class SettingsError(AppError):
    """A setting is unknown, out of range or contradicts another."""


class RequestError(AppError):
    """The request is at fault."""


class InvalidJson(RequestError):
    """The body is not JSON."""


class InvalidRequest(RequestError):
    """The body or a header is JSON or text of the wrong shape."""


class UnsupportedEncoding(RequestError):
    """The body is compressed."""


class BodyTooLarge(RequestError):
    """The body has more bytes than the server takes."""


class TooManyTexts(RequestError):
    """The request has more texts than the server takes at once."""


class TextTooLong(RequestError):
    """One text has more characters than the server takes."""


class HeadersTooLarge(RequestError):
    """The request has more headers, or longer ones, than the server takes."""


class Unauthorized(RequestError):
    """The request has no key, or one that the server does not know."""

    @property
    def headers(self) -> dict[str, str]:
        """Tells which kind of key is wanted."""
        return {"www-authenticate": 'Bearer realm="sluice"'}


class Forbidden(RequestError):
    """The key has no right to this."""


class RequestTooSlow(RequestError):
    """The request did not arrive in time."""

    @property
    def headers(self) -> dict[str, str]:
        """What is still to come of the request is not waited for."""
        return {"connection": "close"}


class UnknownModel(RequestError):
    """No model has the name that was asked for."""


class CheckpointRefused(RequestError):
    """A checkpoint that was to be served cannot be; nothing has changed."""


class PathRefused(RequestError):
    """A checkpoint lies where this server may not load from."""


class Conflict(RequestError):
    """The models that there are do not admit the change."""


class ServiceError(AppError):
    """The server is at fault or busy.

    Attributes:
        retry_after_s: when it is worth asking again, or None if that is unknown.
    """

    def __init__(self, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """When to come back, if that is known."""
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}


class Overloaded(ServiceError):
    """There is no room in the queue for the whole request."""


class NotReady(ServiceError):
    """The model is loading, restarting or broken, or the server is leaving."""


class DeadlineExceeded(ServiceError):
    """The answer would have come too late."""


class ComputeError(ServiceError):
    """One text could not be computed; its neighbours could."""


class RateLimited(AppError):
    """The key has used up what it may for now.

    Attributes:
        retry_after_s: when it may ask again, if nobody else asks with it.
    """

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return {"retry-after": str(self.retry_after_s)}


class ClientGone(AppError):
    """The client closed the connection before its answer was there."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one class of errors looks on the wire."""

    status: int
    code: str
    title: str


TABLE: Mapping[type[Exception], Row] = {
    InvalidJson: Row(400, "invalid_json", "The body is not valid JSON"),
    InvalidRequest: Row(422, "invalid_request", "The request does not have the documented form"),
    UnsupportedEncoding: Row(415, "unsupported_encoding", "The body is compressed"),
    BodyTooLarge: Row(413, "body_too_large", "The body is too large"),
    TooManyTexts: Row(413, "too_many_texts", "Too many texts in one request"),
    TextTooLong: Row(413, "text_too_long", "The text is too long"),
    HeadersTooLarge: Row(431, "headers_too_large", "The headers are too large"),
    Unauthorized: Row(401, "unauthorized", "A valid key is needed"),
    Forbidden: Row(403, "forbidden", "The key has no right to this"),
    RequestTooSlow: Row(408, "request_too_slow", "The request did not arrive in time"),
    UnknownModel: Row(404, "unknown_model", "There is no such model"),
    CheckpointRefused: Row(422, "checkpoint_refused", "The checkpoint cannot be served"),
    PathRefused: Row(403, "path_refused", "The path may not be loaded"),
    Conflict: Row(409, "conflict", "The models do not admit this change"),
    Overloaded: Row(503, "overloaded", "The server is overloaded"),
    NotReady: Row(503, "not_ready", "The server is not ready"),
    RateLimited: Row(429, "rate_limited", "The key is over its rate"),
    DeadlineExceeded: Row(504, "deadline_exceeded", "The deadline passed"),
    ComputeError: Row(500, "compute_error", "The text could not be computed"),
    ClientGone: Row(CLIENT_CLOSED_REQUEST, "client_gone", "The client left"),
    InputError: Row(422, "invalid_text", "The text cannot be classified"),
    # What follows stands for whole families. The causes are for the log, not for the client.
    RequestError: Row(400, "bad_request", "The request cannot be served"),
    ServiceError: Row(503, "unavailable", "The server cannot answer now"),
    SettingsError: Row(500, "internal_error", "Internal server error"),
    AppError: Row(500, "internal_error", "Internal server error"),
    ModelError: Row(500, "internal_error", "Internal server error"),
    Exception: Row(500, "internal_error", "Internal server error"),
}

INTERNAL_DETAIL = "Something went wrong on the server. The request id finds the cause in its log."

_HTTP_DETAILS = {
    404: "There is nothing at this path. /docs lists what there is.",
    405: "This path does not take this method. The Allow header lists those that it takes.",
}


V2_PREFIX = "/v2"


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


def row_of(error: Exception) -> Row:
    """The row of the nearest ancestor of the error's class."""
    return next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)


def describe(error: Exception) -> tuple[Row, str]:
    """The row and a detail that is safe to show: an unforeseen error says nothing of its cause."""
    row = row_of(error)
    foreseen = row.code != "internal_error" and str(error)
    return row, str(error) if foreseen else INTERNAL_DETAIL


def problem_response(error: Exception) -> Response:
    """The answer to a request that failed with `error`."""
    headers = error.headers if isinstance(error, AppError) else {}
    if isinstance(error, HTTPException):
        phrase = http.HTTPStatus(error.status_code).phrase
        row = Row(error.status_code, phrase.lower().replace(" ", "_").replace("-", "_"), phrase)
        detail = _HTTP_DETAILS.get(error.status_code, phrase + ".")
        headers.update(error.headers or {})
    else:
        row, detail = describe(error)
    problem = Problem(f"urn:sluice:problem:{row.code}", row.title, row.status, detail, detail, row.code)
    return Response(msgspec.json.encode(problem), row.status, headers, PROBLEM_MEDIA_TYPE)


def v2_error_response(error: Exception) -> Response:
    """The same as the Open Inference Protocol has it, where a request of the wrong form is 400."""
    row, detail = describe(error)
    status = 400 if isinstance(error, InvalidRequest) else row.status
    headers = error.headers if isinstance(error, AppError) else {}
    return Response(msgspec.json.encode(V2Error(detail)), status, headers, "application/json")


def response_in_form(path: str, error: Exception) -> Response:
    """The answer as the protocol has it to which the path belongs."""
    of_v2 = path == V2_PREFIX or path.startswith(V2_PREFIX + "/")
    return v2_error_response(error) if of_v2 else problem_response(error)


async def handle_error(_request: Request, error: Exception) -> Response:
    """`problem_response` as Starlette wants an exception handler to be."""
    return problem_response(error)
