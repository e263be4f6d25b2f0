"""Authorization: checks the API key of a request and its role before the request reaches a route.

A refusal is answered, logged and counted as any other error.
"""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.accounts import Accounts
from app.auth.keys import ADMIN, METRICS, PREDICT
from app.core.errors import AppError, Forbidden, Unauthorized
from app.http.request_log import RequestRecord
from app.http.routing import name_route, route_path

OPEN = frozenset(
    {
        *("/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"),
        *("/", "/docs", "/openapi.json"),
    }
)
"""Paths that need no key: orchestrators have none, and people enter theirs on the page."""

OPEN_BELOW = ("/docs/assets/", "/page/")
ADMIN_PATH = "/admin"

NO_ADMIN = "Administration is off. Start the server with --admin and with a key of the role admin."
"""A server with --admin has keys: without them it does not start."""


def role_for(method: str, path: str, public_metrics: bool) -> str | None:
    """Returns the role that a request needs, or None if it needs no key."""
    if path == ADMIN_PATH or path.startswith(ADMIN_PATH + "/"):
        return ADMIN
    if path == "/metrics":
        return None if public_metrics else METRICS
    if method in ("GET", "HEAD") and (path in OPEN or path.startswith(OPEN_BELOW)):
        return None
    return PREDICT


class Guard:
    """Middleware that refuses requests without the right key.

    Args:
        app: what it guards.
        accounts: without any, everybody may do everything but administer.
        public_metrics: whether /metrics needs no key.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts, *, public_metrics: bool) -> None:
        self.app = app
        self._accounts = accounts
        self._public_metrics = public_metrics

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes an authorized request on.

        Raises:
            Unauthorized: it shows no key that there is.
            Forbidden: its key has no right to this.
            RateLimited: its key has used up what it may.
        """
        role = role_for(scope["method"], route_path(scope), self._public_metrics)
        try:
            if self._accounts and role is not None:
                self._authorize(scope, role)
            elif role == ADMIN:
                raise Forbidden(NO_ADMIN)
        except AppError:
            name_route(scope)
            raise
        return self.app(scope, receive, send)

    def _authorize(self, scope: Scope, role: str) -> None:
        secret = shown(scope)
        if secret is None:
            raise Unauthorized("Send a key as `Authorization: Bearer …` or `X-API-Key: …`.")
        account = self._accounts.find(secret)
        if account is None:
            raise Unauthorized
        RequestRecord.of(scope).account = account
        if role not in account.key.roles:
            raise Forbidden(f"This needs a key of the role {role}.")
        account.enter()


def shown(scope: Scope) -> bytes | None:
    """Returns the key that a request shows. `X-API-Key` counts first: a proxy may need `Authorization` for itself."""
    bearer: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return bytes(value)
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
    return bearer
