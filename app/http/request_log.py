"""Gives each request an id, a line in the log and its metrics, and answers every error.

The middleware is plain ASGI: Starlette's `BaseHTTPMiddleware` costs 175 µs a layer and hides clients that leave. It
stands outside of all that FastAPI wraps around its routes (seven layers, about 20 µs), and of the layers that may
refuse a request.
"""

import asyncio
import itertools
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.accounts import Account
from app.core.errors import AppError, HeadersTooLarge, NotReady
from app.core.job import Job
from app.deployment.registry import Registry
from app.http.example_call import with_example
from app.http.problems import error_response
from app.http.routing import route_path, template
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import Parent

if TYPE_CHECKING:
    from app.telemetry.otel import Tracer

logger = logging.getLogger("app.request")

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_SCOPE_KEY = "sluice.record"
_CUT_KEY = "sluice.cut"
_REFUSED_KEY = "sluice.refused"

MAX_HEADERS = 100
"""Most headers of one request. Clients and the proxies before them send about twenty."""

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""Browsers take an answer for the type that it states, and for no other."""


@dataclass(slots=True)
class RequestRecord:
    """Facts about a request that later layers add, for its line in the log, metrics and traces.

    Attributes:
        account: of the key that the request showed, where one was needed.
    """

    model: str | None = None
    texts: int | None = None
    tokens: int | None = None
    account: Account | None = None
    job: Job | None = None

    @classmethod
    def of(cls, scope: Scope) -> "RequestRecord":
        """Returns the record of the request with this scope."""
        record: RequestRecord = scope[_SCOPE_KEY]
        return record


def cut_short(scope: Scope, error: AppError) -> None:
    """Logs `error` for the request with this scope, whose connection has been answered with it and closed."""
    scope[_CUT_KEY] = error


def begin_refused(scope: Scope, error: AppError) -> None:
    """Lets the request with this scope, which is yet to begin, be answered with `error`."""
    scope[_REFUSED_KEY] = error


class RequestLog:
    """Middleware that logs, counts and traces requests, and answers their errors.

    Args:
        app: all other layers.
        metrics, registry: see there.
        tracer: records POST requests and those that belong to a caller's trace; None records nothing.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, registry: Registry, tracer: "Tracer | None" = None) -> None:
        self.app = app
        self._tracer = tracer
        self._metrics = metrics
        self._registry = registry
        # Drawn once and counted on: a system call for each request costs more than all else here.
        self._id_prefix = secrets.token_hex(8).encode()
        self._ids = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request and logs it."""
        started = time.monotonic()
        request_id = self._request_id(scope)
        record = scope[_SCOPE_KEY] = RequestRecord()
        status = 0

        async def logged_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id), NO_SNIFFING]
                if self._registry.draining:
                    # The client must open its next connection elsewhere.
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        try:
            _check(scope)
            await self.app(scope, receive, logged_send)
        except AppError as error:
            await self._fail(scope.get(_CUT_KEY, error), scope, receive, logged_send)
        except asyncio.CancelledError:
            # After SIGTERM requests have so long to finish; those that have not are answered so.
            if not status:
                await self._fail(NotReady("The server is shutting down."), scope, receive, logged_send)
            raise
        except Exception as error:
            logger.exception("unforeseen error", extra={"request_id": request_id.decode()})
            if status:
                raise  # too late for another answer: the server must cut the connection
            await self._fail(error, scope, receive, logged_send)
        finally:
            self._note(scope, record, request_id, status, started, time.monotonic())

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        await error_response(route_path(scope), with_example(error, scope))(scope, receive, send)

    def _request_id(self, scope: Scope) -> bytes:
        """Returns the client's `X-Request-Id` if it is short and harmless, else a new one."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return bytes(value)
        return b"%b-%d" % (self._id_prefix, next(self._ids))

    def _note(
        self, scope: Scope, record: RequestRecord, request_id: bytes, status: int, started: float, ended: float
    ) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        # Never the path itself: people put text into URLs.
        route = template(scope)
        self._metrics.requests.observe(method, route, status, ended - started)
        if record.job is not None and record.model is not None:
            self._metrics.requests.observe_job(record.model, record.job, started, ended)
        key = None
        if record.account is not None:
            key = record.account.key.name
            self._metrics.requests.key_requests.labels(key, str(status)).inc()
        client = scope.get("client")
        parent = Parent.of(scope)
        trace_id = None if parent is None else parent.trace_id
        if self._tracer is not None and (method == "POST" or parent is not None):
            attributes = _attributes(method, route, status, request_id, record)
            trace_id = self._tracer.record(
                parent, f"{method} {route}", attributes, record.job, failed=status >= 500, started=started, ended=ended
            )
        if not logger.isEnabledFor(logging.INFO):
            return
        extra = {
            "trace_id": trace_id,
            "request_id": request_id.decode(),
            "client": client[0] if client else None,
            "key": key,
            "method": method,
            "route": route,
            "status": status,
            "ms": round((ended - started) * 1000, 2),
            "model": record.model,
            "texts": record.texts,
            "tokens": record.tokens,
        }
        logger.info("request", extra={name: value for name, value in extra.items() if value is not None})


def _check(scope: Scope) -> None:
    if len(scope["headers"]) > MAX_HEADERS:
        raise HeadersTooLarge(f"The request has more than {MAX_HEADERS} headers.")
    if _REFUSED_KEY in scope:
        raise scope[_REFUSED_KEY]


def _attributes(method: str, route: str, status: int, request_id: bytes, record: RequestRecord) -> dict[str, str | int]:
    """Returns the attributes of a request's span, which are those of its line in the log."""
    found: dict[str, str | int | None] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status or None,
        "sluice.request_id": request_id.decode(),
        "sluice.model": record.model,
        "sluice.texts": record.texts,
        "sluice.tokens": record.tokens,
    }
    return {name: value for name, value in found.items() if value is not None}
