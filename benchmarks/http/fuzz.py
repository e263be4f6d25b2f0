"""Fuzzes the parsers: every input must be read or refused, nothing else.

    python -m benchmarks.http.fuzz [--inputs 1000000] [--max-bytes 2048]

atheris (libFuzzer) makes inputs out of seeds and a dictionary, guided by which code they reach. Each goes through the
parsers of all forms, the tensors of the Open Inference Protocol in both directions, the cutter of lines, the headers
and the query. Fails at an exception other than the declared errors, at a detail that is long or not ASCII (it would
repeat the input), at lines that differ from a plain split, at a text that is no Unicode, at an input that takes more
than `TIMEOUT_S`, and where memory grows by more than `GROWTH_BYTES` after the first fifth.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import click
import numpy as np

from app.api.huggingface import HubRequest
from app.api.ndjson import LineCutter, StreamLine
from app.api.oip_tensors import read_request, write_response
from app.api.predict import parse_predict
from app.api.stream import query_of
from app.api.vllm import ClassifyRequest
from app.core.errors import AppError
from app.http.deadline import timeout_s
from app.http.json import Parser
from benchmarks.lib import fuzzer

MEGABYTE = 2**20
TIMEOUT_S = 5
GROWTH_BYTES = 32 * MEGABYTE
"""libFuzzer itself keeps every input that reached new code."""

MAX_DETAIL = 300
MAX_LINE_BYTES = 100
MAX_TEXTS = 100
LABELS = ("negative", "positive")

SEEDS = (
    rb'{"inputs": ["a good film", "\ud800", "\ud83d\ude00"], "model": "m", "top_k": 2}',
    rb'{"inputs": "a", "parameters": {"top_k": 1.0, "function_to_apply": "softmax"}, "options": {}}',
    rb'{"input": ["a"], "model": null, "use_activation": true}',
    rb'{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}], "id": "1"}',
    rb'{"inputs": [{"name": "text", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}], '
    rb'"parameters": {"binary_data_output": true}}' + b"\x01\x00\x00\x00a",
    b'{"inputs": "a"}\n\n{"inputs": "b"}\r\n{"in',
    "{'inputs': '很好'}".encode(),
    b"model=m&top_k=3&labels=negative&labels=%ff",
    rb'{"inputs": "a", "labels": ["negative", "\ud800"]}',
    b"0500",
)
WORDS = (
    *(b"inputs", b"input", b"model", b"top_k", b"parameters", b"function_to_apply", b"softmax", b"options"),
    *(b"use_activation", b"labels", b"negative", b"positive", b"name", b"text", b"shape", b"datatype", b"BYTES"),
    *(b"data", b"binary_data_size", b"binary_data", b"outputs", b"label", b"probabilities", b"classification"),
    *(b"content_type", b"base64", b"id", b"null", b"true", b"1e9", b"-1", b"2.0", b"NaN"),
    *(rb"\ud800", rb"\udc00", rb"\u0000", b"\xed\xa0\x80", b"\xff", b"\x00", b"\r\n", b"[[[[", b"{{", b'"'),
)

_parsers = tuple(Parser(kind).parse for kind in (HubRequest, ClassifyRequest, StreamLine))


def check(data: bytes) -> None:
    """Feeds one input to a parser.

    Raises:
        Exception: something is wrong; whatever it is.
    """
    for parse in _parsers:
        with declared():
            parse(data)
    with declared():
        inputs = parse_predict(data).inputs
        for text in [inputs] if isinstance(inputs, str) else inputs:
            text.encode()  # no lone surrogate comes through
    for json_bytes in (None, data.rfind(b"}") + 1):
        with declared():
            request, texts = read_request(data, json_bytes, MAX_TEXTS)
            write_response(request, "m", "v", LABELS, [np.array([0.25, 0.75], np.float32)] * len(texts))
    with declared():
        timeout_s({"headers": [(b"x-request-timeout-ms", data)]}, 1000)
    with declared():
        query_of({"query_string": data})
    _check_lines(data)


class declared(suppress):  # a lower-case context manager, as `suppress` is
    """Lets the declared errors pass if they say nothing of the input."""

    def __init__(self) -> None:
        super().__init__(AppError)

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        """Looks at the detail."""
        if isinstance(error, AppError):
            detail = str(error)
            if not detail.isascii() or len(detail) > MAX_DETAIL:
                raise AssertionError(f"a detail that may repeat the input: {detail!r}")
        return isinstance(error, AppError)


def _check_lines(data: bytes) -> None:
    cutter = LineCutter(MAX_LINE_BYTES)
    step = 1 + len(data) % 7
    lines = [line for start in range(0, len(data), step) for line in cutter.feed(data[start : start + step])]
    lines.extend(cutter.feed(b"", last=True))
    expected = [line if len(line) <= MAX_LINE_BYTES else None for line in data.split(b"\n")]
    if lines != expected:
        raise AssertionError("the lines are not those of the input")


@dataclass(slots=True)
class Course:
    """A run of so many inputs: what the slowest cost in processor time, and the memory on the way."""

    inputs: int
    seen: int = 0
    slowest_s: float = 0.0
    warm_bytes: int = 0

    def one(self, data: bytes) -> None:
        """Checks an input; the last one ends the run."""
        began = time.thread_time()
        check(data)
        self.slowest_s = max(self.slowest_s, time.thread_time() - began)
        self.seen += 1
        if self.seen == self.inputs // 5:
            self.warm_bytes = resident()
        if self.seen == self.inputs:
            self._end()

    def _end(self) -> None:
        now = resident()
        growth = now - self.warm_bytes
        print(
            f"{self.seen:,} inputs; slowest {self.slowest_s * 1e3:.1f} ms; resident memory "
            f"{self.warm_bytes / MEGABYTE:.0f} MB after a fifth, {now / MEGABYTE:.0f} in the end",
            flush=True,
        )
        os._exit(growth > GROWTH_BYTES)  # libFuzzer would go on to write its statistics


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fuzz(inputs: int, max_bytes: int, seed: int, folder: Path) -> None:
    """Runs in a process of its own, which it ends."""
    import atheris  # has no wheel for every system

    for module in ("app.http.body", "app.api.oip_tensors", "app.api.ndjson"):
        for function in functions_of(sys.modules[module]):
            atheris.instrument_func(function)
    limits = [f"-timeout={TIMEOUT_S}"]
    fuzzer.fuzz(Course(inputs).one, SEEDS, WORDS, folder=folder, seed=seed, max_bytes=max_bytes, options=limits)


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Functions that are written in it, methods included."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) == module.__name__:
            members = vars(value).values() if isinstance(value, type) else [value]
            yield from (member for member in members if isinstance(member, FunctionType))


@click.command(help=__doc__)
@click.option("--inputs", default=1_000_000, show_default=True, type=click.IntRange(min=5))
@click.option("--max-bytes", default=2048, show_default=True, help="Longest input.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--here", type=click.Path(path_type=Path), hidden=True, help="Folder of the process that fuzzes.")
def main(inputs: int, max_bytes: int, seed: int, here: Path | None) -> None:
    """Prints how many inputs were tried, the slowest and the memory."""
    if here is not None:
        fuzz(inputs, max_bytes, seed, here)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [f"--inputs={inputs}", f"--max-bytes={max_bytes}", f"--seed={seed}", f"--here={folder}"]
        code = fuzzer.run_apart("benchmarks.http.fuzz", arguments)
    print("nothing found" if code == 0 else f"FAILED with code {code}")
    sys.exit(code != 0)


if __name__ == "__main__":
    main()
