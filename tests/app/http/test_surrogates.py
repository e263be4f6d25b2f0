import re
import time
from contextlib import suppress

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidJson
from app.http.json import Parser
from app.http.surrogates import replace_lone

ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",
    re.DOTALL,
)
PARTS = (
    b"\\",
    rb"\\",
    rb"\ud83d",
    rb"\uDE00",
    rb"\uD8",
    rb"\u0041",
    rb"\n",
    b"ud8",
    b"00",
    b"e",
    b'"',
    b"\xc3\xa9",
    b"\0",
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join))
def test_halves_are_those_that_one_escape_after_another_shows(body: bytes) -> None:
    assert replace_lone(body) == ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], body)


def test_a_body_of_escapes_alone_is_refused_at_once() -> None:
    parse = Parser(msgspec.defstruct("Text", [("inputs", str)])).parse
    body = b'{"inputs": "' + rb"\n" * 2_000_000
    began = time.process_time()
    with suppress(InvalidJson):
        parse(body)
    assert time.process_time() - began < 0.3
