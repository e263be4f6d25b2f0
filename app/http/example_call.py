"""Tells a client whose body has another form what to send: a call of curl to copy."""

import re
from typing import TypeVar

from starlette.types import Scope

from app.core.errors import RequestError
from app.http.routing import template

_HOST = re.compile(r"[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_PATH = re.compile(r"[A-Za-z0-9/._-]{1,200}")
"""Hosts and paths that a shell takes as they are; what else a client has sent is not repeated."""

_KEYS = (b"authorization", b"x-api-key")

Refused = TypeVar("Refused", bound=Exception)


def with_example(error: Refused, scope: Scope | None = None) -> Refused:
    """Returns the error with what to send instead, if the client sent another form.

    Args:
        error: of a request, or of a line of one.
        scope: of the request; None for a line, which is shown by itself.
    """
    if not isinstance(error, RequestError) or error.example is None:
        return error
    shown = error.example if scope is None else curl_of(scope).replace("{}", error.example)
    return type(error)(f"{error} Send, for example: {shown}")


def curl_of(scope: Scope) -> str:
    """Returns the call of curl for a request like this one, with `{}` for its body.

    >>> curl_of({"method": "POST", "path": "/predict", "scheme": "http", "headers": [(b"host", b"[::1]:8000")]})
    "curl http://[::1]:8000/predict -d '{}'"
    """
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    path = scope["path"] if _PATH.fullmatch(scope["path"]) else template(scope)
    url = f"{scope['scheme']}://{host if _HOST.fullmatch(host) else 'localhost:8000'}{path}"
    key = " -H 'X-API-Key: KEY'" if any(name in headers for name in _KEYS) else ""
    method = "" if scope["method"] == "POST" else f" -X {scope['method']}"
    return f"curl{method}{key} {url} -d '{{}}'"
