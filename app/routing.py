"""Starlette's routes in FastAPI's router, which forgets to say which of them it chose."""

from typing import Any

from starlette.routing import Match, Mount, Route
from starlette.types import Scope


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
