"""The errors of the server, and the only table from an error to its HTTP status and stable code.

AppError
├── RequestError             the request itself is at fault; sending it again changes nothing
│   ├── InvalidJson, InvalidRequest, UnsupportedEncoding, BrokenEncoding
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

A detail is written here or by the raiser and never repeats what the client sent. A sentence that several places raise
or show stands here once. `app.http.problems` writes the responses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from model.errors import InputError, ModelError

CLIENT_CLOSED_REQUEST = 499
"""Status of a request whose client left; only logs and metrics see it. Source: nginx's convention."""


class AppError(Exception):
    """Root of every error that `app` raises on purpose; `str(error)` is a sentence fit for the client.

    Args:
        detail: the sentence; `default` if empty.
        retry_after_s: when it is worth asking again, or None if that is unknown.

    Attributes:
        default: the sentence where the raiser gives none.
        own_headers: of the answer to each error of the class.
    """

    default = ""
    own_headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(detail or self.default)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the answer gets for this error."""
        retry = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        return {**self.own_headers, **retry}


class RequestError(AppError):
    """The request is at fault.

    Attributes:
        example: a right body as JSON, where the client sent another form.
    """

    example: str | None = None


SPLIT = "Split the request; POST /predict/stream labels any number of texts in one."


class InvalidJson(RequestError):
    """The body is not JSON."""


class InvalidRequest(RequestError):
    """The body or a header is JSON or text of the wrong shape."""


class UnsupportedEncoding(RequestError):
    """The body has a content coding that the server does not know, or too many."""

    default = "Send the body as it is, or compressed by gzip, deflate or zstd, up to three times."

    @property
    def headers(self) -> dict[str, str]:
        """Names the codings that a body may have (RFC 7694)."""
        return {"accept-encoding": "gzip, deflate, zstd"}


class BrokenEncoding(RequestError):
    """The body does not have the content coding that its header names."""

    default = "The body cannot be decompressed as its Content-Encoding says."


class BodyTooLarge(RequestError):
    """The body has more bytes than the server takes."""

    @classmethod
    def over(cls, max_bytes: int) -> Self:
        """The error of a body over the limit."""
        return cls(f"The body is larger than {max_bytes} bytes. {SPLIT}")


class TooManyTexts(RequestError):
    """The request has more texts than the server takes at once."""

    @classmethod
    def over(cls, limit: int, num_texts: int, *, streams: bool = True) -> Self:
        """The error of a request over the limit; `streams` where a stream would do the same for any number."""
        advice = SPLIT if streams else "Split the request."
        return cls(f"The request has {num_texts} texts; the limit is {limit}. {advice}")


class TextTooLong(RequestError):
    """One text has more characters than the server takes."""

    @classmethod
    def over(cls, limit: int, num_chars: int) -> Self:
        """The error of a text over the limit."""
        return cls(f"The text has {num_chars} characters; the limit is {limit}.")


class HeadersTooLarge(RequestError):
    """The request has more headers, or longer ones, than the server takes."""


class Unauthorized(RequestError):
    """The request has no key, or one that the server does not know."""

    default = "This server does not know the key."
    own_headers: ClassVar = {"www-authenticate": 'Bearer realm="sluice"'}


class Forbidden(RequestError):
    """The key has no right to this."""


class RequestTooSlow(RequestError):
    """The request did not arrive in time; the connection closes, as the rest of it is not waited for."""

    own_headers: ClassVar = {"connection": "close"}


class UnknownModel(RequestError):
    """No model has the requested name."""

    default = "No model has this name; GET /models lists those that there are."


class CheckpointRefused(RequestError):
    """A checkpoint that was to be served cannot be; nothing has changed."""


class PathRefused(RequestError):
    """A checkpoint lies where this server may not load from."""


class Conflict(RequestError):
    """The models that there are do not admit the change."""


class ServiceError(AppError):
    """The server is at fault or busy."""


class Overloaded(ServiceError):
    """There is no room in the queue for the whole request."""

    default = "The queue has no room for this request; try again later."


class NotReady(ServiceError):
    """The model is loading, restarting or broken, or the server is leaving."""

    default = "The model is being loaded."


class DeadlineExceeded(ServiceError):
    """The answer would have come too late."""

    @classmethod
    def after(cls, deadline_s: float) -> Self:
        """The error of a request whose deadline passed."""
        return cls(f"The answer was not ready within {deadline_s * 1000:.0f} ms.")


class ComputeError(ServiceError):
    """One text could not be computed; its neighbours could."""

    default = "This text could not be computed. The server's log has the cause."


class RateLimited(AppError):
    """The key has used up what it may for now; `retry_after_s` holds if nobody else asks with it."""

    default = "The key is over its rate; try again later."


class ClientGone(AppError):
    """The client closed the connection before its answer was there."""

    default = "The client left before its answer was ready."


@dataclass(frozen=True, slots=True)
class Row:
    """Status, code and title of one class of errors."""

    status: int
    code: str
    title: str


TABLE: Mapping[type[Exception], Row] = {
    InvalidJson: Row(400, "invalid_json", "The body is not valid JSON"),
    InvalidRequest: Row(422, "invalid_request", "The request does not have the documented form"),
    UnsupportedEncoding: Row(415, "unsupported_encoding", "The body has an unknown coding"),
    BrokenEncoding: Row(400, "broken_encoding", "The body cannot be decompressed"),
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
    # These stand for whole families. The causes are for the log, not for the client.
    RequestError: Row(400, "bad_request", "The request cannot be served"),
    ServiceError: Row(503, "unavailable", "The server cannot answer now"),
    AppError: Row(500, "internal_error", "Internal server error"),
    ModelError: Row(500, "internal_error", "Internal server error"),
    Exception: Row(500, "internal_error", "Internal server error"),
}

INTERNAL_DETAIL = "Something went wrong on the server. The request id finds the cause in its log."


def row_of(error: Exception) -> Row:
    """Row of the nearest ancestor of the error's class."""
    return next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)


def describe(error: Exception) -> tuple[Row, str]:
    """Row of an error, and a detail that is safe to show: an unforeseen error says nothing of its cause."""
    row = row_of(error)
    foreseen = row.code != "internal_error" and str(error)
    return row, str(error) if foreseen else INTERNAL_DETAIL
