"""Chooses texts of files by a checkpoint or an encoder, and writes them for a person to label."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from model.checkpoint import TOKENIZER
from model.classifier import Classifier
from model.embedder import ALL, Embedder
from model.files import replacing
from model.pretrained import PretrainedEncoder, load_folder
from model.vectors import embed
from tables.errors import TableError
from tables.reader import read_columns
from training.annotation.choose import CANDIDATES, choose_typical, choose_unsure, uncertainty
from training.annotation.review import formula_safe
from training.annotation.table import Rows, read_rows
from training.data.column_names import LABEL
from training.data.coverage import MOST_TOKENS_PER_WORD, tokens_per_word
from training.data.duplicates import distinct, normalised
from training.errors import UsageError

BATCH_TEXTS = 4096
"""Texts whose probabilities are computed at once."""

MOST_CLUSTERED = 20_000
"""Texts among which typical ones are sought; of more they are drawn."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Texts in the order in which they were chosen.

    Attributes:
        texts, files, rows: each text, the file in which it stands first, and its row there.
        num_texts: distinct texts among which they were chosen.
        labels, uncertainty: the checkpoint's most probable label, and how unsure it is, 0 to 1; none of an encoder.
    """

    texts: list[str]
    files: list[str]
    rows: list[int]
    num_texts: int
    labels: list[str] | None = None
    uncertainty: list[float] | None = None

    def __len__(self) -> int:
        return len(self.texts)


def choose_from(
    files: Sequence[Path],
    checkpoint: Path,
    count: int,
    *,
    but_not: Sequence[Path] = (),
    seed: int = 0,
    text_column: str | None = None,
    device: str = "auto",
) -> Chosen:
    """Chooses `count` texts of `files`, each once; a text is known if it is in `but_not` but for case and spaces.

    Args:
        files: of texts.
        checkpoint: of a classifier, which is unsure of texts; or a folder of pretrain, by which they are typical.
        count: at least 1.
        but_not: files of texts that have labels.
        seed: of the clusters.
        text_column: of all files; None finds it in each.
        device: to compute on.

    Raises:
        TableError: a file cannot be read.
        CheckpointError: the checkpoint cannot be loaded.
        UsageError: no text is left beside those of `but_not`.
    """
    found = load_folder(checkpoint)
    rows = read_rows(files, text_column=text_column)
    labelled = [text for path in but_not for text in read_rows([path], text_column=text_column).distinct]
    texts = distinct(rows.distinct, but_not=set(map(normalised, labelled)))
    if not texts:
        raise UsageError("every text has a label already: there is none to choose")
    if isinstance(found, PretrainedEncoder):
        embedder = Embedder(found, vectors=ALL if found.maps else None, device=device)
        return _typical(embedder, rows, texts, labelled, count, seed)
    return _unsure(Classifier(found, device=device), rows, texts, count, seed)


def check_coverage(files: Sequence[Path], encoder: Path, *, text_column: str | None) -> None:
    """Refuses texts in languages of which an encoder has seen little.

    Raises:
        TableError: a file cannot be read.
        UsageError: they are; says what to do.
    """
    texts = read_rows(files, text_column=text_column).distinct
    tokens = tokens_per_word(texts, Tokenizer.from_file(str(encoder / TOKENIZER)))
    if tokens > MOST_TOKENS_PER_WORD:
        raise UsageError(
            f"{encoder.name} has learned from English and Chinese, and these texts take {tokens:.1f} tokens a word; "
            "label some drawn at random, train on them, and name the result as --checkpoint"
        )


def _unsure(classifier: Classifier, rows: Rows, texts: Sequence[str], count: int, seed: int) -> Chosen:
    probabilities_NC = np.concatenate(
        [
            classifier.score(classifier.encode(texts[start : start + BATCH_TEXTS]))
            for start in range(0, len(texts), BATCH_TEXTS)
        ]
    )
    unsure_N = uncertainty(probabilities_NC, multi_label=classifier.task == "multi_label")
    places = choose_unsure(unsure_N, lambda kept: embed(classifier, [texts[i] for i in kept]), count, seed=seed)
    labels = [classifier.labels[best] for best in probabilities_NC[places].argmax(axis=1)]
    chosen = _with_rows(rows, [texts[place] for place in places], len(texts))
    return replace(chosen, labels=labels, uncertainty=unsure_N[places].tolist())


def _typical(
    embedder: Embedder, rows: Rows, texts: Sequence[str], labelled: Sequence[str], count: int, seed: int
) -> Chosen:
    most = max(MOST_CLUSTERED, CANDIDATES * count)
    some = np.sort(np.random.default_rng(seed).permutation(len(texts))[:most])
    known = list(dict.fromkeys(labelled))
    vectors_ND = embed(embedder, [*known, *(texts[place] for place in some)])
    places = some[choose_typical(vectors_ND, count, known=len(known), seed=seed) - len(known)]
    return _with_rows(rows, [texts[place] for place in places], len(texts))


def _with_rows(rows: Rows, chosen: list[str], num_texts: int) -> Chosen:
    """The texts, each with the file and the row where it stands first."""
    first = {text: place for place, text in reversed(list(enumerate(rows.texts)))}
    stands = [first[text] for text in chosen]
    return Chosen(chosen, [rows.files[place] for place in stands], [rows.numbers[place] for place in stands], num_texts)


def check_unfilled(output: Path) -> None:
    """Refuses to write over labels that a person has filled in.

    Raises:
        UsageError: the file is there, and its column `label` has some.
    """
    try:
        (labels,) = read_columns(output, [LABEL])
    except TableError:  # it is not there, or is no file of ours
        return
    if filled := sum(value is not None and bool(str(value).strip()) for value in labels.values):
        raise UsageError(
            f"{output} has labels already ({filled:,}), which would be lost; write to another file, and name this one "
            "with --but-not"
        )


def write_chosen(output: Path, chosen: Chosen, *, text_column: str) -> None:
    """Writes the texts, called `text_column`, with an empty column `label`: Parquet if the name ends so, else CSV.

    Raises:
        UsageError: the text column is called as another one of the file.
        OSError: it cannot be written.
    """
    others: dict[str, list[Any]] = {"file": chosen.files, "row": chosen.rows}
    if chosen.labels is not None and chosen.uncertainty is not None:
        others |= {"predicted": chosen.labels, "uncertainty": [round(value, 4) for value in chosen.uncertainty]}
    if text_column in {"label", *others}:
        raise UsageError(f"'{text_column}' is a column of the file that is written; give the text column another name")
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as partial:
        if output.suffix == ".parquet":
            nothing = pa.nulls(len(chosen), pa.string())
            pq.write_table(pa.table({text_column: chosen.texts, "label": nothing, **others}), partial)
            return
        with partial.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([text_column, "label", *others])
            rows = zip(map(formula_safe, chosen.texts), [""] * len(chosen), *others.values(), strict=True)
            writer.writerows(rows)
