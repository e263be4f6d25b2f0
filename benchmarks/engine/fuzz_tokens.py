"""Fuzzes the native text path: libFuzzer changes real texts, and their tokens must be those of `tokenizers`.

    python -m benchmarks.engine.fuzz_tokens [FILE...] [--checkpoint FOLDER] [--seconds 60] [--seed 1]

The FILEs' texts are the seeds: parts of at most `MAX_BYTES`, as many as `SEEDS` of each file. atheris (libFuzzer)
cuts, repeats, crosses and overwrites them, byte by byte and by a dictionary of the characters that the pipelines ask
about; bytes that are no UTF-8 become U+FFFD. Nothing guides it: the library is not instrumented, so that all
seeds are kept and all changes are drawn. `benchmarks.engine.tokens` makes strings of further kinds.
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.engine.tokens import Run, cleaned
from benchmarks.lib import fuzzer
from benchmarks.lib.made_strings import MARKS, SPECIAL
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts

BLOCK = 1024
"""Strings that are compared together."""

MAX_BYTES, SEEDS = 200, 500

TEXTS = ("It's a good film, don't miss it! 10/10 😀", "这部电影很好看，我喜欢。", "Café naïve ไม่ดี हिन्दी")
"""Seeds where no file is given."""


@dataclass(slots=True)
class Course:
    """Strings of a run, compared block by block until its time is over.

    Attributes:
        run: compares them.
        seconds: of the run.
        seen: number of inputs.
    """

    run: Run
    seconds: float
    seen: int = 0
    _block: dict[str, None] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def one(self, data: bytes) -> None:
        """Takes an input; ends the process when the time is over."""
        self.seen += 1
        self._block[data.decode("utf-8", "replace")] = None
        if len(self._block) == BLOCK:
            self.compare()
        if self.seen % 64 == 0 and time.monotonic() - self._began > self.seconds:
            self.compare()
            self.run.report("mutated by libFuzzer")
            sys.stdout.flush()
            os._exit(0)  # libFuzzer would go on to write its statistics

    def compare(self) -> None:
        """Compares the different strings since the last time.

        Raises:
            click.ClickException: the tokens of one differ.
        """
        if self._block:
            self.run.compare("mutated by libFuzzer", list(self._block))
        self._block.clear()


def seeds_of(files: tuple[Path, ...], max_tokens: int) -> list[bytes]:
    """Beginnings of texts, evenly from each file."""
    read = (read_texts(file, count=SEEDS) for file in files)
    texts = [text for of_file in read for text in of_file] if files else TEXTS
    return [text.encode()[:MAX_BYTES] for text in cleaned(texts, max_tokens)]


@click.command(help=__doc__)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--max-tokens", default=64, show_default=True)
@click.option("--here", type=click.Path(path_type=Path), hidden=True, help="Folder of the process that fuzzes.")
def main(
    files: tuple[Path, ...], checkpoint: Path, seconds: float, seed: int, max_tokens: int, here: Path | None
) -> None:
    """Prints how many different strings were compared."""
    if here is not None:
        course = Course(Run.of(checkpoint, max_tokens)[0], seconds)
        words = [character.encode() for character in [*SPECIAL, *MARKS]]
        seeds = seeds_of(files, max_tokens)
        fuzzer.fuzz(course.one, seeds, words, folder=here, seed=seed, max_bytes=MAX_BYTES, options=["-keep_seed=1"])
    with tempfile.TemporaryDirectory() as folder:
        options = ["--checkpoint", str(checkpoint), "--seconds", str(seconds), "--seed", str(seed)]
        options += ["--max-tokens", str(max_tokens), "--here", folder, *map(str, files)]
        code = fuzzer.run_apart("benchmarks.engine.fuzz_tokens", options)
    print("no difference" if code == 0 else f"FAILED with code {code}")
    sys.exit(code != 0)


if __name__ == "__main__":
    main()
