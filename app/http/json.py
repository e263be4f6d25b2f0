"""Parses JSON bodies into msgspec structs; errors name the place in the body, never its content."""

import codecs
import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from app.core.errors import InvalidJson, InvalidRequest, RequestError
from app.http.surrogates import replace_lone

T = TypeVar("T")

_MARK = re.compile(b"(?:%s)+" % codecs.BOM_UTF8)
"""Byte order mark, which editors and spreadsheets put before UTF-8. RFC 8259, section 8.1 lets parsers skip it."""

_FIELD = re.compile(r"(?<=unknown field `).*(?=`)", re.DOTALL)
_VALUE = re.compile(r"Invalid enum value .*(?= - at `)", re.DOTALL)
_WHOLE_FLOAT = re.compile(r"Expected `int[^`]*`, got `float`")
_WHERE = re.compile(r" - at `\$([A-Za-z0-9_.\[\]]{0,64})`\Z")
_STEP = re.compile(r"\.(\w+)|(\[)")
_BYTE = re.compile(r"\(byte (\d+)\)\Z")
PLAIN_FIELD = re.compile(r"[A-Za-z0-9_]{1,32}")
"""A field's name that errors may repeat. Any other name is the client's text."""


MAX_LOOK_BYTES = 65_536
"""Largest refused body that is read once more to see what the client means."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""First bytes of compressed bodies. Source: RFC 1952, section 2.3.1; RFC 8878, section 3.1.1."""

_MULTIPART = re.compile(rb"\s*--[^\r\n]+\r?\nContent-", re.IGNORECASE)
_URL_ENCODED = re.compile(rb"[A-Za-z0-9_.+%*\[\]-]{1,64}=")
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Parser(Generic[T]):
    r"""Decodes bodies into one type and checks them, whatever the Content-Type says.

    A lone surrogate, which JSON can write and Unicode cannot, becomes U+FFFD: one broken text in a list must not cost
    the others their answers. A byte order mark before the JSON is skipped.

    Args:
        kind: a `msgspec` struct.
        example: a right body, for the errors of those that have another form.

    >>> Text = msgspec.defstruct("Text", [("inputs", list[str])])
    >>> Parser(Text).parse(rb'{"inputs": ["\ud800!", "\ud83d\ude00"]}').inputs == ["\ufffd!", "\U0001f600"]
    True
    """

    def __init__(self, kind: type[T], example: Any = None) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._decode_lax = msgspec.json.Decoder(kind, strict=False).decode
        fields = msgspec.structs.fields(kind)  # type: ignore[arg-type]
        self._fields = [field.encode_name for field in fields]
        self._required = {field.encode_name for field in fields if field.required}
        self._example = None if example is None else msgspec.json.encode(example).decode()

    def parse(self, body: bytes) -> T:
        """Returns the value in `body`.

        Raises:
            InvalidJson: it is not JSON, and says at which byte; or it is nested too deeply.
            InvalidRequest: it is JSON of another shape; says at which field.
        """
        try:
            return self._read(body)
        except msgspec.ValidationError as error:
            raise self._refused(InvalidRequest(_sentence(str(error), self._kind)), body) from None
        except UnicodeDecodeError:
            raise self._refused(InvalidJson(_where_utf8_breaks(body)), body) from None
        except msgspec.DecodeError as error:
            if mark := _MARK.match(body):
                return self.parse(body[mark.end() :])
            repaired = replace_lone(body)
            if repaired != body:
                return self.parse(repaired)
            raise self._refused(InvalidJson(_syntax(str(error), body)), body) from None
        except RecursionError:  # from msgspec, which follows the nesting as deep as Python lets it
            raise InvalidJson("The JSON is nested too deeply.") from None

    def _refused(self, error: RequestError, body: bytes) -> RequestError:
        if self._has_other_form(body):
            error.example = self._example
        return error

    def _has_other_form(self, body: bytes) -> bool:
        """Returns whether a refused body is empty, no object, or one with other fields than those that it must have."""
        start = body[:MAX_LOOK_BYTES].lstrip()[:1]
        if start != b"{" or len(body) > MAX_LOOK_BYTES:
            return start != b"{" and not _other_encoding(body)
        try:
            fields = _decode_fields(body).keys()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return not self._required <= fields and not fields <= set(self._fields)

    def _read(self, body: bytes) -> T:
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            if not _WHOLE_FLOAT.match(str(error)):
                raise
        # 2.0 is an integer in JSON Schema. The lax decoder would take "2" as well, but there it is a float.
        return self._decode_lax(body)


def _sentence(message: str, kind: Any) -> str:
    """Msgspec's message, and the fields or values that may stand at its place.

    Names and values are the client's text: a value is not shown, and a name if it looks like one.
    """
    where = _WHERE.search(message)
    known = _known_at(kind, where[1] if where else "")
    field = _FIELD.search(message[: where.start()] if where else message)
    if field is None:
        plain = _VALUE.sub("Not one of the values that it may have", message) + "."
        return f"{plain} They are {known}." if _VALUE.search(message) else plain
    if PLAIN_FIELD.fullmatch(field[0]):
        return f"{message}. It may have {known}."
    if where:
        return f"There is an unknown field{where[0]}. It may have {known}."
    return f"The request has an unknown field; it may have {known}."


def _known_at(kind: Any, place: str) -> str:
    """The names of the fields, or the values, that a body may have at a place such as `.inputs[0].data`."""
    types = _alternatives(inspect.type_info(kind))
    for name, index in _STEP.findall(place):
        below = [getattr(one, "item_type", None) for one in types] if index else []
        fields = [field for one in types if isinstance(one, inspect.StructType) for field in one.fields]
        below += [field.type for field in fields if field.encode_name == name]
        types = [part for one in below if one is not None for part in _alternatives(one)]
    found: list[str] = []
    for one in types:
        if isinstance(one, inspect.StructType):
            found.extend(field.encode_name for field in one.fields)
        elif isinstance(one, inspect.LiteralType):
            found.extend(map(str, one.values))
        elif isinstance(one, inspect.BoolType):
            found.extend(("true", "false"))
    return listed(found)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["model", "top_k"]), listed([])
    ('`model` and `top_k`', 'none')
    """
    *most, last = [f"`{name}`" for name in names] or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    return (
        [part for one in kind.types for part in _alternatives(one)] if isinstance(kind, inspect.UnionType) else [kind]
    )


def _syntax(message: str, body: bytes) -> str:
    if encoding := _other_encoding(body):
        return encoding
    if _URL_ENCODED.match(body) or _MULTIPART.match(body):
        return "The body is a form, not JSON."
    if message == "Input data was truncated":
        return f"The JSON ends too early (byte {len(body)})." if body.strip() else "The body is empty."
    return f"{message}.{_remedy(message, body)}"


def _remedy(message: str, body: bytes) -> str:
    """Returns a sentence on three mistakes that are easily made, and nothing for others."""
    found = _BYTE.search(message)
    at = int(found[1]) if found else len(body)
    wrong = body[at : at + 1]
    if "trailing characters" in message and body[at - 1 : at] == b"{":  # counted from 1, in this message alone
        return " One object is read here; POST /predict/stream reads one on each line."
    if wrong and wrong in b"\n\r\t":
        return " Inside a text a line break is written as \\n and a tab as \\t."
    if wrong == b"'" or "object keys must be strings" in message:
        return " Names and texts stand in double quotation marks."
    return ""


def _other_encoding(body: bytes) -> str:
    """Returns a sentence about a body that is compressed or no UTF-8, and nothing for others."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:2]:
        return "The body is not UTF-8 but UTF-16 or UTF-32; send UTF-8."
    for magic, coding in _MAGIC.items():
        if body.startswith(magic):
            return f"The body is compressed; the header Content-Encoding must say so: {coding}."
    return ""


def _where_utf8_breaks(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"The body is not valid UTF-8 (byte {error.start})."
    return "The body is not valid UTF-8."
