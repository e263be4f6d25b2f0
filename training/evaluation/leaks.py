"""Counts the held-out texts that training files give away, for a report and for the card of a checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.fingerprints import CHARACTERS, WORDS, Marks, batches
from training.data.leaks import HeldOut, Index, source_names
from training.data.unlabeled import read_unlabeled
from training.evaluation.card_section import put_section

TITLE = "## Leaks\n"


@dataclass(frozen=True, slots=True)
class FileLeaks:
    """Held-out texts of one file that the training files give away, by what they share.

    Attributes:
        name: the file.
        rows: its texts.
        whole, sentence, ngram: texts with an equal training text, a shared sentence, a shared n-gram; a text may be
            counted in each.
        leaked: texts with one of these.
        stock: further texts that share a stock phrase only, which is no leak.
    """

    name: str
    rows: int
    whole: int
    sentence: int
    ngram: int
    leaked: int
    stock: int


@dataclass(frozen=True, slots=True)
class TrainingLeaks:
    """Texts of one training file that leak a held-out one.

    Attributes:
        name: the file.
        rows: its texts.
        leaking: number of texts that leak.
        examples: the first of them.
    """

    name: str
    rows: int
    leaking: int
    examples: tuple[str, ...]


class LeakCount:
    """Collects what training texts share with held-out ones.

    Args:
        held_out: the held-out texts.
    """

    def __init__(self, held_out: HeldOut) -> None:
        self._held_out = held_out
        self._texts, self._ngrams = _none(held_out.texts), _none(held_out.ngrams)
        self._main, self._minor = _none(held_out.sentences), _none(held_out.sentences)

    def add(self, name: str, texts: Sequence[str], *, num_examples: int) -> TrainingLeaks:
        """Compares the texts of a training file, called `name`, and keeps some of those that leak."""
        leaking, examples = 0, list[str]()
        for part in batches(texts):
            found = self._held_out.match(texts[part])
            self._texts[found.texts] = self._ngrams[found.ngrams] = True
            self._main[found.main] = self._minor[found.minor] = True
            rows = part.start + np.flatnonzero(found.leaking_N)
            leaking += len(rows)
            examples += [texts[row] for row in rows[: num_examples - len(examples)]]
        return TrainingLeaks(name, len(texts), leaking, tuple(examples))

    def leaked(self) -> Marks:
        """Marks the held-out texts [N] of all files that the texts added so far give away."""
        held, total = self._held_out, sum(self._held_out.rows)
        return (
            held.texts.touched(self._texts, total) | held.ngrams.touched(self._ngrams, total) | self._by_sentence(total)
        )

    def _by_sentence(self, total: int) -> Marks:
        held = self._held_out
        return held.sentences.touched(self._main, total) | held.sentences.touched(self._minor, total, only=~held.stock)

    def by_file(self) -> list[FileLeaks]:
        """The counts of each held-out file, in their order."""
        held, total = self._held_out, sum(self._held_out.rows)
        whole = held.texts.touched(self._texts, total)
        ngram = held.ngrams.touched(self._ngrams, total)
        sentence = self._by_sentence(total)
        leaked = whole | sentence | ngram
        stock = held.sentences.touched(self._minor, total, only=held.stock) & ~leaked
        ends = np.cumsum(held.rows)
        return [
            FileLeaks(
                name, rows, *(int(marks[end - rows : end].sum()) for marks in (whole, sentence, ngram, leaked, stock))
            )
            for name, rows, end in zip(held.names, held.rows, ends.tolist(), strict=True)
        ]


def count_leaks(
    training: Sequence[Path], held_out: Sequence[Path], *, text_column: str | None, num_examples: int = 0
) -> tuple[list[TrainingLeaks], list[FileLeaks]]:
    """Compares every text of the training files with every text of the held-out ones.

    Raises:
        TableError: a file cannot be read, or has no texts.
    """
    count = LeakCount(HeldOut.read(held_out, text_column=text_column))
    added = [
        count.add(name, read_unlabeled(path, text_column=text_column), num_examples=num_examples)
        for name, path in zip(source_names(training), training, strict=True)
    ]
    return added, count.by_file()


def table(files: Sequence[FileLeaks]) -> str:
    """A Markdown table with a line for each held-out file, and their sum."""
    head = "| held-out file | texts | leaked | equal text | shared sentence | shared n-gram | stock phrase only |\n"
    rows = [_row(f.name, f.rows, f.leaked, f.whole, f.sentence, f.ngram, f.stock) for f in files]
    counts = [(f.rows, f.leaked, f.whole, f.sentence, f.ngram, f.stock) for f in files]
    return head + "| --- |" + " ---: |" * 6 + "\n" + "".join([*rows, _row("all", *map(sum, zip(*counts, strict=True)))])


def with_section(card: str, training: Sequence[TrainingLeaks], files: Sequence[FileLeaks]) -> str:
    """Puts the table into a card, before its sections on robustness and limits or at its end; an older one goes."""
    return put_section(card, _section(training, files), before=["## Robustness", "## Limits"])


def _section(training: Sequence[TrainingLeaks], files: Sequence[FileLeaks]) -> str:
    names = ", ".join(f"`{found.name}` ({found.rows:,})" for found in training)
    about = (
        f"Held-out texts of which a training text is equal, or shares a sentence or {WORDS} words in a row "
        f"({CHARACTERS} units if one is a Chinese character) with it (`python -m training leaks`). "
        f"Training texts: {names}."
    )
    return f"{TITLE}\n{about}\n\n{table(files)}"


def _row(name: str, *counts: int) -> str:
    return f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |\n"


def _none(index: Index) -> Marks:
    return np.zeros(len(index), dtype=np.bool_)
