from typing import Any

import pytest

from app.core.errors import BodyTooLarge, ClientGone, UnsupportedEncoding
from app.http.body import read_body

pytestmark = pytest.mark.anyio

CHUNKS = [b"abc", b"", b"de"]


def scope_of(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"headers": list(headers)}


class Client:
    """Sends chunks, then leaves."""

    def __init__(self, chunks: list[bytes], *, complete: bool = True) -> None:
        last = len(chunks) - 1 if complete else len(chunks)
        self.unread = [{"type": "http.request", "body": c, "more_body": i < last} for i, c in enumerate(chunks)]

    async def receive(self) -> dict[str, Any]:
        return self.unread.pop(0) if self.unread else {"type": "http.disconnect"}


async def test_chunks_are_joined_up_to_the_limit() -> None:
    assert await read_body(scope_of(), Client(CHUNKS).receive, 5) == b"abcde"
    assert await read_body(scope_of((b"content-encoding", b"identity")), Client([b"one"]).receive, 5) == b"one"


async def test_body_over_the_limit_is_refused_before_the_rest_is_read() -> None:
    client = Client([b"abc", b"def", b"ghi"])
    with pytest.raises(BodyTooLarge, match="larger than 5 bytes"):
        await read_body(scope_of(), client.receive, 5)
    assert len(client.unread) == 1


@pytest.mark.parametrize(
    ("header", "error"),
    [((b"content-length", b"6"), BodyTooLarge), ((b"content-encoding", b"gzip"), UnsupportedEncoding)],
)
async def test_headers_suffice_to_refuse_a_body(header: tuple[bytes, bytes], error: type[Exception]) -> None:
    client = Client([b"abc"])
    with pytest.raises(error):
        await read_body(scope_of(header), client.receive, 5)
    assert client.unread


async def test_client_that_leaves_before_the_end_gets_no_answer() -> None:
    with pytest.raises(ClientGone):
        await read_body(scope_of(), Client([b"abc"], complete=False).receive, 5)
