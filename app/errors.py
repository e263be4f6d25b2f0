"""What can go wrong while serving, and the only table from error to HTTP status and stable code.

AppError
├── SettingsError            the server cannot start with these settings (never reaches a client)
├── RequestError             the request itself is at fault; sending it again changes nothing
│   ├── InvalidJson, InvalidRequest, UnsupportedEncoding
│   ├── BodyTooLarge, TooManyTexts, TextTooLong
│   ├── UnknownModel
│   └── CheckpointRefused, PathRefused, Conflict      of `/admin`
├── ServiceError             the server is at fault or busy; the same request may work later
│   ├── Overloaded, NotReady, DeadlineExceeded
│   └── ComputeError         one text could not be computed though its neighbours could
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


class Overloaded(ServiceError):
    """There is no room in the queue for the whole request."""


class NotReady(ServiceError):
    """The model is loading, restarting or broken, or the server is leaving."""


class DeadlineExceeded(ServiceError):
    """The answer would have come too late."""


class ComputeError(ServiceError):
    """One text could not be computed; its neighbours could."""


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
    UnknownModel: Row(404, "unknown_model", "There is no such model"),
    CheckpointRefused: Row(422, "checkpoint_refused", "The checkpoint cannot be served"),
    PathRefused: Row(403, "path_refused", "The path may not be loaded"),
    Conflict: Row(409, "conflict", "The models do not admit this change"),
    Overloaded: Row(503, "overloaded", "The server is overloaded"),
    NotReady: Row(503, "not_ready", "The server is not ready"),
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
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        phrase = http.HTTPStatus(error.status_code).phrase
        row = Row(error.status_code, phrase.lower().replace(" ", "_").replace("-", "_"), phrase)
        detail = _HTTP_DETAILS.get(error.status_code, phrase + ".")
        headers.update(error.headers or {})
    else:
        row, detail = describe(error)
    if isinstance(error, ServiceError) and error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    problem = Problem(f"urn:sluice:problem:{row.code}", row.title, row.status, detail, detail, row.code)
    return Response(msgspec.json.encode(problem), row.status, headers, PROBLEM_MEDIA_TYPE)


async def handle_error(_request: Request, error: Exception) -> Response:
    """`problem_response` as Starlette wants an exception handler to be."""
    return problem_response(error)
