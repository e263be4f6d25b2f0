"""Offers of another protocol, such as HTTP/2 or WebSocket, which the server declines.

RFC 9110, section 7.8: a server may ignore an offer. `docs/design/0022-http-server.md` tells why it does.
"""

from collections.abc import Iterable

import httptools

HTTP_2_PREFACE = b"PRI * HTTP/2"
ONLY_HTTP_1 = "This server speaks HTTP/1.1; a proxy in front of it can speak HTTP/2."

_OFFER = frozenset((b"upgrade", b"http2-settings"))
"""Headers, and options of the header Connection, that offer another protocol."""


def offers(parser: httptools.HttpRequestParser) -> bool:
    """Returns whether the request whose headers the parser has read offers another protocol; a tunnel is no offer."""
    return bool(parser.should_upgrade()) and parser.get_method() != b"CONNECT"


def head_without_offer(
    parser: httptools.HttpRequestParser, url: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """Returns a request's line and headers, without those that offer another protocol."""
    lines = [b"%s %s HTTP/%s" % (parser.get_method(), url, parser.get_http_version().encode())]
    for name, value in headers:
        if name == b"connection":
            options = [option for option in map(bytes.strip, value.split(b",")) if option.lower() not in _OFFER]
            lines.append(b"connection: " + b", ".join(options))
        elif name not in _OFFER:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
