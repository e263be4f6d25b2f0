"""Compares tokens of the native text path with those of `tokenizers`, on as many strings as wished.

    python -m benchmarks.engine.tokens FILE... [--checkpoint FOLDER] [--count 10000000] [--shard 1/2] [--seed 0]

First come the whole texts of the FILEs, with the share that the native path leaves to the reference; then strings, in
turns: every character in several surroundings, cuttings of the texts, such cuttings with characters or bytes changed,
tokens of the vocabulary put together at random, and letters with up to 64 combining marks. The first difference ends
the run. A block of strings depends on the seed and its number alone, so `--shard` and `--first` do a part of the same
run.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import click
import numpy as np
from tokenizers import Tokenizer, decoders

from benchmarks.lib.packed import SHIPPED
from benchmarks.lib.texts import read_texts
from model.checkpoint import TOKENIZER
from model.native_text import NativeText
from model.text import CHARS_PER_TOKEN
from model.tokenizer import END_OF_WORD, recognise, replace_surrogates
from training.cli.options import SHARD

BLOCK = 8192
"""Strings that are compared together."""

PER_FILE = 20_000
"""Texts of a file that are cut and changed."""

SURROUNDINGS = ("{}", "a{}b", "很{0}{0}{0}{0}好", "e\u0e49{}\u0301'S", "{}\u200d{} n't")

SPECIAL = (
    "aAnNtT'’sS \n\t\r\x00\x85!!！…“”—–½①ﬁÉéİßŒ很〇⺀々가ᄀ\u1161ﾞ\u0301\u0308\u0334\u0e49\u094d"
    "\u200b\u200c\u200d\ufeff\ufe0f😀👍🏽♀❤ﷺ\U000e0061"
)

LETTERS = "aeiouyAEOUсшאبकกගกကがᄀ가ა"

MARKS = [chr(code) for code in [*range(0x300, 0x370), *range(0x591, 0x5BE), *range(0x64B, 0x65F), 0x93C, 0x94D, 0xE49]]


class Strings:
    """Strings by the number of their block."""

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer, seed: int) -> None:
        self._texts = texts or ["It's a good film, don't miss it!", "这部电影很好看。"]
        self._tokens = [_spelled(token) for token in sorted(tokenizer.get_vocab())]
        self._seed = seed
        self._every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
        self.kinds: tuple[Callable[[random.Random, int], list[str]], ...] = (
            self.characters, self.cuttings, self.mutated, self.characters, self.vocabulary, self.marks
        )  # fmt: skip

    def block(self, number: int) -> tuple[str, list[str]]:
        """The kind and the strings of a block."""
        turn, place = divmod(number, len(self.kinds))
        make = self.kinds[place]
        nth = 2 * turn + (place > 0) if make == self.characters else turn
        return make.__name__, make(random.Random(f"{self._seed} {number}"), nth)

    def characters(self, _: random.Random, nth: int) -> list[str]:
        """Every character in one surrounding after the other."""
        start = nth * BLOCK
        turns = [divmod(i, len(self._every)) for i in range(start, start + BLOCK)]
        return [SURROUNDINGS[turn % len(SURROUNDINGS)].format(self._every[place]) for turn, place in turns]

    def cuttings(self, draw: random.Random, _: int) -> list[str]:
        """Parts of the texts."""
        return [self._cut(draw) for _ in range(BLOCK)]

    def mutated(self, draw: random.Random, _: int) -> list[str]:
        """Parts of the texts, changed in one to four places."""
        return [_by_bytes(self._cut(draw), draw) if i % 3 == 0 else self._edited(draw) for i in range(BLOCK)]

    def vocabulary(self, draw: random.Random, _: int) -> list[str]:
        """Tokens put together: places where byte-pair encoding has a choice."""
        rows = (draw.choices(self._tokens, k=draw.randint(1, 5)) for _ in range(BLOCK))
        return [b"".join(row).decode("utf-8", "replace") for row in rows]

    def marks(self, draw: random.Random, _: int) -> list[str]:
        """Letters with combining marks."""
        numbers = draw.choices([1, 2, 3, 64], [6, 2, 1, 1], k=BLOCK)
        return [draw.choice(LETTERS) + "".join(draw.choices(MARKS, k=k)) + draw.choice(LETTERS) for k in numbers]

    def _cut(self, draw: random.Random) -> str:
        text = draw.choice(self._texts)
        start = draw.randrange(max(len(text), 1))
        return text[start : start + draw.randint(1, 50)]

    def _edited(self, draw: random.Random) -> str:
        text = self._cut(draw)
        for _ in range(draw.randint(1, 4)):
            place, end = draw.randint(0, len(text)), draw.choice([0, 0, 1])
            new = draw.choice(SPECIAL) if draw.random() < 0.8 else draw.choice(self._every)
            text = text[:place] + new * draw.choice([1, 1, 1, 3, 20]) + text[place + end :]
        return text


def _spelled(token: str) -> bytes:
    """Bytes of a token."""
    return decoders.ByteLevel().decode([token.removesuffix(END_OF_WORD)]).encode()


def _by_bytes(text: str, draw: random.Random) -> str:
    changed = bytearray(text.encode())
    for _ in range(draw.randint(1, 3)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return changed.decode("utf-8", "replace")


class Run:
    """Compares strings, and counts them by kind."""

    def __init__(self, native: NativeText, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._native, self._tokenizer, self._max_tokens = native, tokenizer, max_tokens
        self._compared: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._began = time.process_time()

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
    tokenizer = Tokenizer.from_file(str(checkpoint / TOKENIZER))
    pipeline = recognise(tokenizer)
    native = NativeText.of(tokenizer, pipeline) if pipeline else None
    if native is None:
        raise click.ClickException("there is no native path for this checkpoint here")
    run = Run(native, tokenizer, max_tokens)
    limit, texts = max_tokens * CHARS_PER_TOKEN, []
    for file in files:
        read = [replace_surrogates(text).strip()[:limit] for text in read_texts(file, column=text_column)]
        for start in range(0, len(read), BLOCK):
            run.compare(str(file), read[start : start + BLOCK])
        run.report(str(file))
        texts += read[:PER_FILE]
    part, num_shards = shard
    strings = Strings(texts, tokenizer, seed)
    for number in range(-(-count // BLOCK)):
        if number % num_shards == part - 1 and number >= first:
            run.compare(*strings.block(number))
            if number // num_shards % 100 == 99:
                click.echo(f"{run.seconds:,.0f} s: {run.total:,} strings, block {number}")
    for kind in dict.fromkeys(make.__name__ for make in strings.kinds):
        run.report(kind)
    click.echo(f"{run.total:,} strings in {run.seconds:,.0f} s of CPU time: no difference")


if __name__ == "__main__":
    main()
