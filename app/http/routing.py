"""Routes outside of FastAPI: named in the scope for logs and metrics, and reached without its router."""

from collections.abc import Awaitable, Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class _Named:
    """Puts the chosen route into the scope, as Starlette's own router does; logs and metrics name it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Returns whether the route takes the request, and names itself in the scope."""
        match, child_scope = super().matches(scope)  # type: ignore[misc]
        return match, child_scope if match is Match.NONE else {**child_scope, "route": self}


class NamedRoute(_Named, Route):
    """A plain route: bytes in, bytes out, no validation by FastAPI."""

    def check_query(self, query: bytes) -> None:  # most routes take any
        """Refuses a query that the route does not take.

        Raises:
            InvalidRequest: it does not.
        """


class NamedMount(_Named, Mount):
    """An application under a path."""


class ReadableRoute(APIRoute):
    """A route of FastAPI that answers HEAD where it answers GET, as Starlette's own do; the server sends no body."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Returns how far the route takes the request."""
        match, child_scope = super().matches(scope)
        return Match.FULL if match is Match.PARTIAL and self._head(scope) else match, child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request whose path matches."""
        await (self.app if self._head(scope) else super().handle)(scope, receive, send)

    def _head(self, scope: Scope) -> bool:
        return scope["method"] == "HEAD" and "GET" in (self.methods or ())


def template(scope: Scope) -> str:
    """Returns the path as it was declared, such as `/models/{name}`; never what the client sent."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "unmatched"


def name_route(scope: Scope) -> None:
    """Names the route that a request would have reached, for one that is refused before the router."""
    first: dict[Match, Any] = {}
    for route in scope["app"].state.routes:
        first.setdefault(route.matches(scope)[0], route)
    found = first.get(Match.FULL) or first.get(Match.PARTIAL)  # as the router: else the path of another method
    if found is not None:
        scope["route"] = found


def route_path(scope: Scope) -> str:
    """Returns the path that routes are matched by, as the router does: without the prefix of a proxy."""
    return get_route_path(scope) if scope.get("root_path") else scope["path"]


def allowed_methods(scope: Scope) -> list[str]:
    """Returns the methods that any route takes for the path of a request; Starlette tells those of the first route."""
    outer = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}  # a mount adds its own path
    scopes = {method: {**outer, "method": method} for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")}
    return [m for m, asked in scopes.items() if any(_takes(route, asked) for route in scope["app"].routes)]


def _takes(route: Any, scope: Scope) -> bool:
    # A folder of files takes any method, and refuses those that do not read by itself.
    reads = not isinstance(route, Mount) or scope["method"] in ("GET", "HEAD")
    return reads and route.matches(scope)[0] is Match.FULL


class DirectRoutes:
    """Middleware that sends POST requests for known paths straight to their endpoint, past FastAPI.

    All other requests go through FastAPI's router.

    Args:
        app: FastAPI.
        direct: routes of `app` without parameters in their paths.
    """

    def __init__(self, app: ASGIApp, direct: Sequence[NamedRoute]) -> None:
        self.app = app
        self._direct = {route.path: route for route in direct}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on to its route.

        Raises:
            InvalidRequest: the route does not take the query.
        """
        if scope["method"] == "POST":
            route = self._direct.get(route_path(scope))
            if route is not None:
                scope["route"] = route
                if scope["query_string"]:
                    route.check_query(scope["query_string"])
                return route.app(scope, receive, send)
        return self.app(scope, receive, send)


class RootPath:
    """Middleware that sets the prefix under which a proxy shows the server, whether the proxy cuts it off or not."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on to its route."""
        scope["root_path"] = self._prefix
        path = scope["path"]
        if path == self._prefix:  # the prefix without a slash: the page, as people type it
            scope["path"] += "/"
        elif not path.startswith(self._prefix + "/"):  # the proxy has cut it off; mounts find their files only with it
            scope["path"] = self._prefix + path
        return self.app(scope, receive, send)
