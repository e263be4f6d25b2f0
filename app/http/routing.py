"""Starlette's routes in FastAPI's router, which forgets to say which of them it chose, and the way past it."""

from collections.abc import Awaitable, Sequence
from typing import Any

from starlette._utils import get_route_path
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class _Named:
    """Puts the chosen route into the scope, as Starlette's own router does; logs and metrics name it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the route takes the request."""
        match, child_scope = super().matches(scope)  # type: ignore[misc]
        return match, child_scope if match is Match.NONE else {**child_scope, "route": self}


class NamedRoute(_Named, Route):
    """A plain route: bytes in, bytes out, no validation by FastAPI."""


class NamedMount(_Named, Mount):
    """An application under a path."""


def template(scope: Scope) -> str:
    """The path as it was declared, such as `/models/{name}`; never what the client sent."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "unmatched"


def route_path(scope: Scope) -> str:
    """The path that routes are found by, exactly as the router itself finds it: without the prefix of a proxy."""
    return get_route_path(scope) if scope.get("root_path") else scope["path"]


def allowed_methods(scope: Scope) -> list[str]:
    """Returns the methods that any route takes for the path of a request; Starlette tells those of the first route."""
    routes = [route for route in scope["app"].routes if not isinstance(route, Mount)]
    scopes = {method: {**scope, "method": method} for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")}
    return [m for m, asked in scopes.items() if any(route.matches(asked)[0] is Match.FULL for route in routes)]


class ShortWay:
    """Sends POST requests for known paths straight to their endpoint, an ASGI application.

    What else is sent to these paths goes the long way, and so does all under a mount.

    Args:
        app: everything.
        direct: routes of `app`.
    """

    def __init__(self, app: ASGIApp, direct: Sequence[NamedRoute]) -> None:
        self.app = app
        self._direct = {route.path: route for route in direct}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on."""
        if scope["method"] == "POST":
            route = self._direct.get(get_route_path(scope) if scope.get("root_path") else scope["path"])
            if route is not None:
                scope["route"] = route
                return route.app(scope, receive, send)
        return self.app(scope, receive, send)


class Prefixed:
    """Tells all that follows under which prefix a proxy shows the server, whether the proxy cuts it off or not."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on."""
        scope["root_path"] = self._prefix
        if scope["path"] == self._prefix:  # the prefix without a slash: the page, as people type it
            scope["path"] += "/"
        return self.app(scope, receive, send)
