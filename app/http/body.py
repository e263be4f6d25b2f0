"""Reads whole request bodies within a limit of bytes."""

from starlette.types import Receive, Scope

from app.core.errors import BodyTooLarge, UnsupportedEncoding
from app.http.disconnect import next_part


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Returns the whole body.

    Raises:
        BodyTooLarge: Content-Length, or what arrived, is more than `max_bytes`.
        UnsupportedEncoding: the body is compressed.
        ClientGone: the client left before the end.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > max_bytes:
            raise BodyTooLarge.over(max_bytes)
    refuse_compressed(scope)
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


def refuse_compressed(scope: Scope) -> None:
    """Refuses compressed bodies: a few bytes could decompress to gigabytes.

    Raises:
        UnsupportedEncoding: the header Content-Encoding names a compression.
    """
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise UnsupportedEncoding
