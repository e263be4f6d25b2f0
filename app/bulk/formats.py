"""Formats of the output, and how parts of it become one file."""

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import PurePath
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from app.bulk.errors import BulkError
from tables.batch import BINARY, JSON, python_values

PACKINGS = {".gz": "gzip", ".zst": "zstd"}
COPY_BYTES = 1 << 20
SEPARATORS = {"csv": ",", "tsv": "\t"}
NO_CSV = (*BINARY, pa.types.is_fixed_size_binary, pa.types.is_string_view, pa.types.is_nested)
"""Tests for types that pyarrow does not write as CSV."""

NAMES = {"parquet": "parquet", "csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl"}


@dataclass(frozen=True, slots=True)
class Form:
    """A format of the output.

    Attributes:
        name: `parquet`, `csv`, `tsv` or `jsonl`; `arrow` for the parts of a Parquet file.
        packing: ending of a compression around it, `.gz` or `.zst`; else empty.
    """

    name: str
    packing: str = ""

    @property
    def ending(self) -> str:
        """The ending of a file's name."""
        return f".{self.name}{self.packing}"

    @property
    def of_parts(self) -> "Form":
        """The form of parts that are to be joined: Arrow for Parquet, since it takes a third of the time."""
        return Form("arrow") if self.name == "parquet" else self

    def encode(self, table: pa.Table, *, header: bool) -> bytes:
        """The rows as bytes of a file; of CSV and TSV with a header or without, so that parts can be joined."""
        sink = pa.BufferOutputStream()
        if self.name == "arrow":
            plain = _plain(table, "parquet").combine_chunks()
            with pa.ipc.new_file(sink, plain.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
                writer.write_table(plain)
        elif self.name == "parquet":
            plain = _plain(table, self.name)
            pq.write_table(plain, sink, compression="zstd", row_group_size=max(1, len(plain)))
        else:
            content = _json_lines(table) if self.name == "jsonl" else self._delimited(table, header=header)
            if self.packing:
                with pa.CompressedOutputStream(sink, PACKINGS[self.packing]) as packed:
                    packed.write(content)
            else:
                return content
        return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]

    def check(self, schema: pa.Schema) -> None:
        """Refuses columns of types that the format has no form for, before anything is computed.

        Raises:
            BulkError: there is one.
        """
        for kept in schema:
            try:
                self.encode(pa.schema([kept]).empty_table(), header=True)
            except pa.ArrowException as error:
                cause = f"column '{kept.name}' holds {kept.type}, which {self.name} has no form for"
                raise BulkError(f"{cause}; choose another format, or name with --keep the columns to keep") from error

    def join(self, parts: Iterable[AbstractContextManager[Any]], sink: Any) -> None:
        """Writes parts, files that `encode` of `of_parts` filled, as one; those of text are joined byte by byte."""
        writer: pq.ParquetWriter | None = None
        for part in parts:
            with part as file:
                if self.name != "parquet":
                    while chunk := file.read(COPY_BYTES):
                        sink.write(chunk)
                    continue
                table = pa.ipc.open_file(file).read_all()
                if writer is None:
                    writer = pq.ParquetWriter(sink, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=max(1, len(table)))
        if writer is not None:
            writer.close()

    def _delimited(self, table: pa.Table, *, header: bool) -> bytes:
        sink = pa.BufferOutputStream()
        options = pa.csv.WriteOptions(include_header=header, delimiter=SEPARATORS[self.name])
        pa.csv.write_csv(_plain(table, self.name), sink, options)
        return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def form_of(output: str, asked: str | None) -> Form:
    """The format that is asked for, or else the one that the ending of a name says.

    >>> form_of("out/scored.csv.gz", None), form_of("out/", "parquet")
    (Form(name='csv', packing='.gz'), Form(name='parquet', packing=''))

    Raises:
        BulkError: none is.
    """
    suffixes = PurePath(f"output.{asked}" if asked else output).suffixes
    packing = suffixes.pop() if suffixes and suffixes[-1] in PACKINGS else ""
    name = NAMES.get(suffixes[-1].lower().removeprefix(".")) if suffixes else None
    if name is None:
        raise BulkError(f"{output} does not say the format: end it in {_endings()}, or add --format")
    if packing and name == "parquet":
        raise BulkError(f"{output}: Parquet is compressed inside; leave out {packing}")
    return Form(name, packing)


def _endings() -> str:
    return ".parquet, .csv, .tsv or .jsonl (text also with .gz or .zst)"


def _plain(table: pa.Table, form: str) -> pa.Table:
    """The columns as the format can hold them: JSON as text; in CSV a struct as columns, and lists as JSON."""
    columns: dict[str, Any] = {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        if column.type == JSON:
            columns[name] = _unquoted(column)
        elif form == "parquet":
            columns[name] = column
        elif pa.types.is_struct(column.type):
            for field, part in zip(column.type, column.combine_chunks().flatten(), strict=True):
                columns[f"{name}.{field.name}"] = _text(part)
        else:
            columns[name] = _text(column)
    return pa.table(columns)


def convert(column: Any, kind: pa.DataType) -> Any:
    """A column in another type; JSON and text become each other.

    Raises:
        ArrowException: a value does not fit.
    """
    if column.type == JSON:
        column = _unquoted(column)
    if kind == JSON:
        texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
        return pa.array(texts, pa.large_string()).cast(JSON)
    return column.cast(kind)


def _unquoted(column: Any) -> pa.Array:
    """Values of JSON as strings: one that is a string without its quotation marks."""
    texts = [None if value is None else str(value) for value in column.to_pylist()]
    return pa.array(map(_unquoted_text, texts), pa.large_string())


def _unquoted_text(value: str | None) -> str | None:
    return str(json.loads(value)) if value is not None and value.startswith('"') else value


def _text(column: Any) -> Any:
    """A column that CSV can hold: lists, maps and structs as JSON, bytes in base64."""
    is_dictionary = pa.types.is_dictionary(column.type)
    kind = column.type.value_type if is_dictionary else column.type
    if isinstance(kind, pa.BaseExtensionType) or any(is_one(kind) for is_one in NO_CSV):
        texts = [_unquoted_text(_json_or_null(value)) for value in python_values(column)]
        return pa.array(texts, pa.large_string())
    return column.cast(kind) if is_dictionary else column


def _json_or_null(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value, enc_hook=str).decode()


def _json_lines(table: pa.Table) -> bytes:
    r"""One object a line, put together column by column, since a dictionary for each row takes several times as long.

    >>> _json_lines(pa.table({"id": [1, None], "text": ["a", 'b"']}))
    b'{"id":1,"text":"a"}\n{"id":null,"text":"b\\""}\n'
    """
    if not len(table):
        return b""
    pieces: list[Any] = []
    for place, (name, column) in enumerate(zip(table.schema.names, table.columns, strict=True)):
        pieces += [f"{',' if place else '{'}{json.dumps(name, ensure_ascii=False)}:", _json_values(column)]
    joined = pc.binary_join_element_wise(*map(_scalar, pieces), _scalar("}"), _scalar(""))
    return ("\n".join(joined.to_pylist()) + "\n").encode()


def _scalar(piece: Any) -> Any:
    return pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece


def _json_values(column: Any) -> Any:
    """Each value as JSON, `null` for none; numbers of 32 bits as short as they can be read back."""
    kind = column.type
    if kind == JSON:
        texts = pa.array([_standard(value) for value in column.to_pylist()], pa.large_string())
    elif pa.types.is_struct(kind):
        return _json_structs(column)
    elif pa.types.is_floating(kind):
        texts = pc.if_else(pc.is_finite(column), column.cast(pa.large_string()), None)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        texts = column.cast(pa.large_string())
    else:
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        write: Callable[[Any], str | None] = encode_basestring if is_text else _json_or_null
        values = python_values(column)
        texts = pa.array([None if value is None else write(value) for value in values], pa.large_string())
    return pc.fill_null(texts, "null")


def _standard(value: object) -> str | None:
    """JSON without the numbers NaN and Infinity, which Python writes and most programs do not read."""
    text = None if value is None else str(value)
    if text is None or not ("NaN" in text or "Infinity" in text):
        return text
    return json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)


def _json_structs(column: Any) -> Any:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    lines = _json_lines(pa.table(dict(zip([field.name for field in whole.type], whole.flatten(), strict=True))))
    texts = pa.array(lines.decode().split("\n")[:-1], pa.large_string())
    return pc.if_else(whole.is_valid(), texts, "null")
