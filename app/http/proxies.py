"""CORS and trusted proxies; both off by default."""

import ipaddress
from collections.abc import Awaitable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

REQUEST_HEADERS = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Inference-Header-Content-Length",
    "X-API-Key",
    "X-Request-Id",
    "X-Request-Timeout-Ms",
)
ANSWER_HEADERS = (
    "Inference-Header-Content-Length",
    "Retry-After",
    "Server-Timing",
    "X-Model-Version",
    "X-Request-Id",
)


def cross_origin(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Allows requests from pages of these origins, never with cookies: keys come in headers."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=REQUEST_HEADERS,
        expose_headers=ANSWER_HEADERS,
        max_age=600,
    )


def from_proxies(app: ASGIApp, trusted: Sequence[str]) -> ASGIApp:
    """Takes the client's address from `X-Forwarded-For` where a trusted proxy sent it: the last that is not one."""
    return ProxyHeadersMiddleware(_Plausible(app), list(trusted))  # type: ignore[arg-type, return-value]


class _Plausible:
    """Forgets an address that is none: the header may say anything, and the address is logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope.get("client"):
            try:
                ipaddress.ip_address(scope["client"][0])
            except ValueError:
                scope["client"] = None
        return self.app(scope, receive, send)
