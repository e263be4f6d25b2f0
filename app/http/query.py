"""Refuses parameters of a query that a route does not have, so that a slip does not pass without a word."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from app.core.errors import InvalidRequest
from app.http.json import PLAIN_FIELD, listed


def check_query(query: bytes, known: Sequence[str], fields: Sequence[str]) -> None:
    """Checks the names of all parameters.

    Args:
        query: as it stands in the scope.
        known: parameters that the route has.
        fields: of the JSON that it takes in the body.

    Raises:
        InvalidRequest: one is unknown; says where it belongs, if it is a field.
    """
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise InvalidRequest(_sentence(name, known, fields))


def _sentence(name: str, known: Sequence[str], fields: Sequence[str]) -> str:
    if name in fields:
        return f"`{name}` is no parameter of the query here; it belongs in the body, as a field of the JSON."
    # Another name than a plain one is the client's text.
    unknown = f"an unknown parameter `{name}`" if PLAIN_FIELD.fullmatch(name) else "an unknown parameter"
    places = f"It may have {listed(known)}" if known else f"There are none here; the body may have {listed(fields)}"
    return f"The query has {unknown}. {places}."
