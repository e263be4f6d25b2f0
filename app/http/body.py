"""Reads whole request bodies within a limit of bytes."""

from starlette.types import Receive, Scope

from app.core.errors import BodyTooLarge
from app.http.content_coding import inflated
from app.http.disconnect import next_part
from app.http.numbers import whole_number


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Returns the whole body, inflated if it is compressed.

    Raises:
        BodyTooLarge: Content-Length, or the body without any of its codings, is more than `max_bytes`.
        UnsupportedEncoding, BrokenEncoding: it has a coding that the server does not know, or not the one it names.
        ClientGone: the client left before the end.
    """
    coded = False
    for name, value in scope["headers"]:
        if name == b"content-length" and (whole_number(value) or 0) > max_bytes:
            raise BodyTooLarge.over(max_bytes)
        coded = coded or name == b"content-encoding"
    if coded:
        receive = inflated(scope, receive, max_bytes)
    chunks = []
    num_bytes = 0
    while True:
        message = await next_part(receive)
        chunk = message.get("body", b"")
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            raise BodyTooLarge.over(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
