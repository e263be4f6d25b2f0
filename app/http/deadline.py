"""The deadline of a request: the server's, or a shorter one from the client's header."""

from starlette.types import Scope

from app.core.errors import InvalidRequest
from app.http.numbers import whole_number

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
MAX_TIMEOUT_MS = 999_999_999


def timeout_s(scope: Scope, deadline_ms: int) -> float:
    """Returns the seconds that a request may take: what its header asks for, at most `deadline_ms`.

    Raises:
        InvalidRequest: the header is not a whole number of milliseconds from 1 to `MAX_TIMEOUT_MS`.
    """
    for name, value in scope["headers"]:
        if name == b"x-request-timeout-ms":
            timeout_ms = whole_number(value)
            if timeout_ms is None or not 1 <= timeout_ms <= MAX_TIMEOUT_MS:
                raise InvalidRequest(
                    f"The header {TIMEOUT_HEADER} must be a whole number of milliseconds from 1 to {MAX_TIMEOUT_MS}."
                )
            return min(timeout_ms, deadline_ms) / 1000
    return deadline_ms / 1000
