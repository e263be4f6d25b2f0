"""Compares tokens of the native text path with those of `tokenizers`, on as many strings as wished.

    python -m benchmarks.engine.tokens FILE... [--checkpoint FOLDER] [--count 10000000] [--shard 1/2] [--seed 0]

First come the whole texts of the FILEs, with the share that the native path leaves to the reference; then strings, in
turns: every character alone and in several surroundings, cuttings of the texts, such cuttings with characters or bytes
changed, tokens of the vocabulary put together at random, and letters of every script with up to 64 combining marks. The
first difference ends the run. A block of strings depends on the seed and its number alone, so `--shard` and `--first`
do a part of the same run. `benchmarks.engine.fuzz_tokens` lets libFuzzer change the texts.
"""

import time
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import click
import numpy as np
from tokenizers import Tokenizer

from benchmarks.lib import made_strings
from benchmarks.lib.made_strings import Strings
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts
from model.checkpoint import TOKENIZER
from model.native_text import NativeText
from model.text import CHARS_PER_TOKEN
from model.tokenizer import recognise, replace_surrogates
from training.cli.options import SHARD

PER_FILE = 20_000
"""Texts of a file that are cut and changed."""


def cleaned(texts: Sequence[str], max_tokens: int) -> list[str]:
    """Texts as `model.text` hands them to the tokenizer."""
    return [replace_surrogates(text).strip()[: max_tokens * CHARS_PER_TOKEN] for text in texts]


class Run:
    """Compares strings, and counts them by kind."""

    def __init__(self, native: NativeText, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._native, self._tokenizer, self._max_tokens = native, tokenizer, max_tokens
        self._compared: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._began = time.process_time()

    @classmethod
    def of(cls, checkpoint: Path, max_tokens: int) -> "tuple[Run, Tokenizer]":
        """One for a checkpoint, and the checkpoint's tokenizer.

        Raises:
            click.ClickException: there is no native path for it.
        """
        tokenizer = Tokenizer.from_file(str(checkpoint / TOKENIZER))
        pipeline = recognise(tokenizer)
        native = NativeText.of(tokenizer, pipeline) if pipeline else None
        if native is None:
            raise click.ClickException("there is no native path for this checkpoint here")
        return cls(native, tokenizer, max_tokens), tokenizer

    @property
    def total(self) -> int:
        """Number of strings so far."""
        return self._compared.total()

    @property
    def seconds(self) -> float:
        """CPU time so far."""
        return time.process_time() - self._began

    def report(self, kind: str) -> None:
        """Prints how many strings of a kind there were, and how many were left to the reference."""
        if number := self._compared[kind]:
            left = self._left[kind]
            click.echo(f"{kind}: {number:,} strings, {left:,} ({left / number:.3%}) left to the reference")

    def compare(self, kind: str, texts: Sequence[str]) -> None:
        """Compares the ids of a block of strings.

        Raises:
            click.ClickException: the ids of one differ; says which.
        """
        rows, left = self._native.encode(texts, max_tokens=self._max_tokens)
        self._compared[kind] += len(texts)
        self._left[kind] += len(left)
        skipped, limit = set(left), self._max_tokens
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        wanted = [[] if place in skipped else encoding.ids for place, encoding in enumerate(encodings)]
        flat = np.fromiter(chain.from_iterable(ids[:limit] for ids in wanted), dtype=np.int32)
        lengths = np.array([len(ids) for ids in wanted])
        same = (np.diff(rows.starts_N1) == np.minimum(lengths, limit)).all() and (rows.ids_T == flat).all()
        if same and ((lengths > limit) == rows.truncated_N).all():
            return
        for text, ours, theirs, truncated in zip(texts, rows.split(), wanted, rows.truncated_N, strict=True):
            if ours.tolist() != theirs[:limit] or truncated != (len(theirs) > limit):
                raise click.ClickException(f"{text!r}: native {ours.tolist()}, reference {theirs}")


@click.command(help=__doc__)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--count", default=10_000_000, show_default=True, help="Strings, besides the texts of the files.")
@SHARD
@click.option("--first", default=0, show_default=True, help="Block to begin with.")
@click.option("--seed", default=0, show_default=True)
@click.option("--max-tokens", default=512, show_default=True)
@click.option("--text-column", default="text", show_default=True)
def main(
    files: tuple[Path, ...],
    checkpoint: Path,
    count: int,
    shard: tuple[int, int],
    first: int,
    seed: int,
    max_tokens: int,
    text_column: str,
) -> None:
    """Prints what was compared, and how much of it the native path left."""
    run, tokenizer = Run.of(checkpoint, max_tokens)
    texts = []
    for file in files:
        read = cleaned(read_texts(file, column=text_column), max_tokens)
        for start in range(0, len(read), made_strings.BLOCK):
            run.compare(str(file), read[start : start + made_strings.BLOCK])
        run.report(str(file))
        texts += read[:PER_FILE]
    part, num_shards = shard
    strings = Strings(texts, tokenizer, seed)
    for number in range(-(-count // made_strings.BLOCK)):
        if number % num_shards == part - 1 and number >= first:
            run.compare(*strings.block(number))
            if number // num_shards % 100 == 99:
                click.echo(f"{run.seconds:,.0f} s: {run.total:,} strings, block {number}")
    for kind in dict.fromkeys(make.__name__ for make in strings.kinds):
        run.report(kind)
    click.echo(f"{run.total:,} strings in {run.seconds:,.0f} s of CPU time: no difference")


if __name__ == "__main__":
    main()
