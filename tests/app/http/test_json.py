import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.schemas import PredictRequest
from app.core.errors import AppError, InvalidJson, InvalidRequest
from app.http.content_coding import zstd
from app.http.json import Parser

FIELDS = "`inputs`, `model`, `top_k`, `labels` and `min_precision`"

parse = Parser(PredictRequest).parse

ESCAPED = "Inside a text a line break is written as \\n and a tab as \\t."


@pytest.mark.parametrize(("compress", "coding"), [(gzip.compress, "gzip"), (zstd.compress, "zstd")])
def test_compressed_body_without_its_header_is_named(compress: Callable[[bytes], bytes], coding: str) -> None:
    with pytest.raises(InvalidJson, match=f"Content-Encoding must say so: {coding}."):
        parse(compress(b'{"inputs":"a good film"}'))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "The body is empty."),
        (b" \n", "The body is empty."),
        (b'{"inputs": "a', "The JSON ends too early (byte 13)."),
        (
            b'{"inputs": "one\ntwo"}',
            f"JSON is malformed: invalid character (byte 15). {ESCAPED}",
        ),
        (
            b'{"inputs": "a", "model": "\t"}',
            f"JSON is malformed: invalid character (byte 26). {ESCAPED}",
        ),
        (
            b"{'inputs': 'a'}",
            "JSON is malformed: object keys must be strings (byte 1). Names and texts stand in double quotation marks.",
        ),
        (
            b"{\"inputs\": 'a'}",
            "JSON is malformed: invalid character (byte 11). Names and texts stand in double quotation marks.",
        ),
        (
            b'{"inputs": "a"}\n{"inputs": "b"}\n',
            (
                "JSON is malformed: trailing characters (byte 17). "
                "One object is read here; POST /predict/stream reads one on each line."
            ),
        ),
        (b'{"inputs": "a"}\n]', "JSON is malformed: trailing characters (byte 17)."),
        (b'{"inputs": [NaN]}', "JSON is malformed: invalid character (byte 12)."),
        (b'{"inputs": "a"} x', "JSON is malformed: trailing characters (byte 17)."),
        (b'{"inputs": "a\xff"}', "The body is not valid UTF-8 (byte 13)."),
        (b'{"inputs": "\xed\xa0\x80"}', "The body is not valid UTF-8 (byte 12)."),
        (b'{"inputs": "\\ud800", "top_k": NaN}', "JSON is malformed: invalid character (byte 30)."),
        (b'{"top_k": 2.0, "inputs": "\xff"}', "The body is not valid UTF-8 (byte 26)."),
        (b'{"top_k": 2.0, "inputs": "a"', "The JSON ends too early (byte 28)."),
    ],
)
def test_what_is_not_json_is_located(body: bytes, detail: str) -> None:
    with pytest.raises(InvalidJson) as error:
        parse(body)
    assert str(error.value) == detail


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("[]", "Expected `object`, got `array`."),
        ("{}", "Object missing required field `inputs`."),
        ('{"inputs": 3}', "Expected `str | array`, got `int` - at `$.inputs`."),
        ('{"inputs": null}', "Expected `str | array`, got `null` - at `$.inputs`."),
        ('{"inputs": ["a", "b", 3]}', "Expected `str`, got `int` - at `$.inputs[2]`."),
        ('{"inputs": [["a", "b"]]}', "Expected `str`, got `array` - at `$.inputs[0]`."),
        ('{"inputs": "a", "top_k": 0}', "Expected `int` >= 1 - at `$.top_k`."),
        ('{"inputs": "a", "top_k": 1.5}', "Expected `int | null`, got `float` - at `$.top_k`."),
        ('{"top_k": 2.0, "inputs": 3}', "Expected `str | array`, got `int` - at `$.inputs`."),
        ('{"inputs": "a", "top_k": "2"}', "Expected `int | null`, got `str` - at `$.top_k`."),
        ('{"inputs": "a", "top_k": true}', "Expected `int | null`, got `bool` - at `$.top_k`."),
        (
            '{"inputs": "a", "parameters": {}}',
            f"Object contains unknown field `parameters`. It may have {FIELDS}.",
        ),
        (
            '{"inputs": "a", "my private text": 1}',
            f"The request has an unknown field; it may have {FIELDS}.",
        ),
        (
            '{"inputs": "a", "x`\\n`y": 1}',
            f"The request has an unknown field; it may have {FIELDS}.",
        ),
    ],
)
def test_wrong_shape_names_field_and_position(body: str, detail: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        parse(body.encode())
    assert str(error.value) == detail


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"\ud800", "\ufffd"),
        (rb"\uDFFF!", "\ufffd!"),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\ude00\ud83d", "\ufffd\ufffd"),
        (rb"\\ud800 \ud800", "\\ud800 \ufffd"),
        (rb"\\\ud800\\", "\\\ufffd\\"),
        (rb"\ud800\n\u0041", "\ufffd\nA"),
    ],
)
def test_lone_surrogates_become_replacement_characters(written: bytes, read: str) -> None:
    assert parse(b'{"inputs": ["' + written + b'", "whole"]}').inputs == [read, "whole"]


def test_whole_number_written_as_a_float_is_a_whole_number() -> None:
    assert parse(b'{"inputs": "a", "top_k": 2.0}').top_k == 2
    assert parse(rb'{"top_k": 2.0, "inputs": "\ud800"}').inputs == "\ufffd"


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters()))
def test_any_text_survives_however_it_is_written(text: str) -> None:
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert parse(json.dumps({"inputs": text}).encode()).inputs == expected


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60) | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for candidate in (body, b'{"inputs":' + body, b'{"inputs":"' + body + b'"}'):
        with suppress(AppError):
            assert parse(candidate).inputs is not None


def test_deep_nesting_is_harmless() -> None:
    with pytest.raises(InvalidRequest):
        parse(b'{"inputs": ' + b"[" * 1_000_000)


def test_nesting_that_is_too_deep_to_be_read_is_refused() -> None:
    body = b'{"any": ' + b"[" * 20_000 + b"]" * 20_000 + b', "parts": []}'
    with pytest.raises(InvalidJson, match="nested too deeply"):
        Parser(msgspec.defstruct("Lenient", [("parts", list)])).parse(body)
    with pytest.raises(InvalidRequest, match="unknown field `any`"):
        Parser(Outer).parse(body)


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    mode: Literal["fast", "exact"] | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    parts: list[Inner]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"parts": [], "part": 1}', "Object contains unknown field `part`. It may have `parts`."),
        ('{"parts": [], "my part": 1}', "The request has an unknown field; it may have `parts`."),
        (
            '{"parts": [{}, {"speed": 1}]}',
            "Object contains unknown field `speed` - at `$.parts[1]`. It may have `mode`.",
        ),
        (
            '{"parts": [{"mode": "slow"}]}',
            "Not one of the values that it may have - at `$.parts[0].mode`. They are `exact` and `fast`.",
        ),
    ],
)
def test_what_may_stand_there_is_named(body: str, detail: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        Parser(Outer).parse(body.encode())
    assert str(error.value) == detail
