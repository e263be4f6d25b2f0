"""What a server and its process that explains say to each other, over a socket that only the two of them have.

A message is two lengths of four bytes, a head as JSON and a body of bytes: what the server has no need to look at it
passes on as it came. The server asks about one text, is answered, and asks again.
"""

import asyncio
import struct
from typing import BinaryIO, Literal, TypeVar

import msgspec

from model.explain.explanation import Options

_LENGTHS = struct.Struct(">II")

Head = TypeVar("Head")

_encode = msgspec.json.Encoder().encode


class Ask(msgspec.Struct, frozen=True):
    """One text to explain.

    Attributes:
        path: of the checkpoint's folder, absolute.
        version: that it must hold.
        keep: versions that will be asked for again; others may be forgotten.
        max_tokens: of the text.
        text: any string.
        options: of the explanation.
    """

    path: str
    version: str
    keep: list[str]
    max_tokens: int
    text: str
    options: Options


class Reply(msgspec.Struct, frozen=True):
    """What became of it; the first one says that the process has begun.

    Attributes:
        about: what there is to say. `text`: the body is its entry in the answer, an explanation or why there is none.
            `call`: nothing can be explained in the way that was asked for. `model`: the version cannot be explained.
        tokens: of the text.
        error_type: stable code of what befell this text alone, else empty.
        detail: a sentence for the client, unless it is about the text.
    """

    about: Literal["text", "call", "model"] = "text"
    tokens: int = 0
    error_type: str = ""
    detail: str = ""


def pack(head: Ask | Reply, body: bytes = b"") -> bytes:
    """A whole message."""
    encoded = _encode(head)
    return b"".join((_LENGTHS.pack(len(encoded), len(body)), encoded, body))


async def receive(reader: asyncio.StreamReader, kind: type[Head]) -> tuple[Head, bytes]:
    """The next message.

    Raises:
        EOFError, OSError: the other side is gone.
    """
    head, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    message = await reader.readexactly(head + body)
    return msgspec.json.decode(message[:head], type=kind), message[head:]


def read(file: BinaryIO, kind: type[Head]) -> tuple[Head, bytes] | None:
    """The same where waiting is no concern; None if the other side is gone."""
    lengths = file.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head, body = _LENGTHS.unpack(lengths)
    message = file.read(head + body)
    if len(message) < head + body:
        return None
    return msgspec.json.decode(message[:head], type=kind), message[head:]
