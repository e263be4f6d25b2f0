"""Messages between a server and its process that explains, over a socket pair.

A message is two lengths of four bytes, a head as JSON and a body of bytes, which the server passes on without reading
it. The server asks about one text at a time.
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
        version: that the folder must hold.
        keep: versions that may be asked for again; others are forgotten.
        max_tokens: limit for the text.
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
    """Result for one text; the first reply only says that the process has started.

    Attributes:
        about: `text`: the body is the entry of the text, an explanation or an error; `call`: the options are wrong;
            `model`: the version cannot be explained.
        tokens: of the text.
        error_type: stable code of an error of this text alone, else empty.
        detail: a sentence for the client, unless it is about the text.
    """

    about: Literal["text", "call", "model"] = "text"
    tokens: int = 0
    error_type: str = ""
    detail: str = ""


def pack(head: Ask | Reply, body: bytes = b"") -> bytes:
    """Encodes a whole message."""
    encoded = _encode(head)
    return b"".join((_LENGTHS.pack(len(encoded), len(body)), encoded, body))


async def receive(reader: asyncio.StreamReader, kind: type[Head]) -> tuple[Head, bytes]:
    """Reads the next message on the event loop.

    Raises:
        EOFError: the other side is gone.
        OSError: the other side is gone.
    """
    head, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    message = await reader.readexactly(head + body)
    return msgspec.json.decode(message[:head], type=kind), message[head:]


def read(file: BinaryIO, kind: type[Head]) -> tuple[Head, bytes] | None:
    """Reads the next message and blocks; None if the other side is gone."""
    lengths = file.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head, body = _LENGTHS.unpack(lengths)
    message = file.read(head + body)
    if len(message) < head + body:
        return None
    return msgspec.json.decode(message[:head], type=kind), message[head:]
