"""Finds test texts that also occur in training files.

    python -m benchmarks.training.overlap TEST… --against TRAIN… [--text-column NAME] [--min-bytes N] [--show N]

Texts are compared by letters and digits alone, as `training.data.duplicates.normalised` has them. A test text counts as
exact if it is a training text, and as contained if it stands inside a longer one and is long enough not to do so by
chance.
Exits with 1 if there are any, with 2 if a file cannot be read.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables.errors import TableError
from training.data.duplicates import normalised
from training.data.unlabeled import read_unlabeled

MIN_BYTES = 30
"""Of UTF-8: ten Chinese characters or thirty English letters."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Finds test texts among the training texts, by their places."""

    exact: frozenset[int]
    contained: frozenset[int]


def find_overlap(tests: Sequence[str], training: Iterable[str], *, min_bytes: int = MIN_BYTES) -> Overlap:
    """Looks for every test text in every training text.

    A window of `min_bytes` slides over each training text; where it is how a test text begins, the rest is compared.
    Time grows with the training text's length, however many test texts there are. An empty text is in nothing.
    """
    keys = [normalised(text).encode() for text in tests]
    places: dict[bytes, list[int]] = defaultdict(list)
    starts: dict[bytes, set[bytes]] = defaultdict(set)
    for place, key in enumerate(keys):
        if key:
            places[key].append(place)
        if len(key) >= min_bytes:
            starts[key[:min_bytes]].add(key)
    exact: set[bytes] = set()
    contained: set[bytes] = set()
    for text in training:
        whole = normalised(text).encode()
        if whole in places:
            exact.add(whole)
        for i in range(len(whole) - min_bytes + 1):
            if (window := whole[i : i + min_bytes]) in starts:
                contained |= {key for key in starts[window] if key != whole and whole.startswith(key, i)}
    return Overlap(
        exact=frozenset(place for key in exact for place in places[key]),
        contained=frozenset(place for key in contained - exact for place in places[key]),
    )


def main(arguments: Sequence[str]) -> int:
    """Prints a line a test file and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.overlap", description="Looks for test texts in training data."
    )
    parser.add_argument("tests", nargs="+", type=Path, metavar="TEST", help="files of texts never to be trained on")
    parser.add_argument("--against", nargs="+", type=Path, required=True, metavar="TRAIN", help="all training files")
    parser.add_argument("--text-column", default="text", metavar="NAME", help="column of the texts (default: text)")
    parser.add_argument(
        "--min-bytes", type=int, default=MIN_BYTES, metavar="N",
        help=f"look inside longer texts only for texts of so many bytes of letters and digits (default: {MIN_BYTES})",
    )  # fmt: skip
    parser.add_argument("--show", type=int, default=3, metavar="N", help="texts shown a file (default: 3)")
    if not arguments:
        parser.print_help()
        return 0
    options = parser.parse_args(arguments)
    try:
        tests = [read_unlabeled(path, text_column=options.text_column) for path in options.tests]
        training = [read_unlabeled(path, text_column=options.text_column) for path in options.against]
    except (TableError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    texts = [text for file in tests for text in file]
    found = find_overlap(texts, (text for file in training for text in file), min_bytes=max(1, options.min_bytes))
    print(f"{sum(map(len, training)):,} training texts")
    first = 0
    for path, file in zip(options.tests, tests, strict=True):
        here = range(first, first + len(file))
        exact, contained = found.exact.intersection(here), found.contained.intersection(here)
        print(f"{path}: {len(file):,} texts, {len(exact):,} exact, {len(contained):,} contained")
        for place in sorted(exact | contained)[: options.show]:
            print(f"    {'exact' if place in exact else 'contained'}: {' '.join(texts[place].split())[:120]}")
        first += len(file)
    return 1 if found.exact or found.contained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
