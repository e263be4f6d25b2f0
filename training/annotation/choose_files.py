"""Chooses texts of files by a checkpoint, and writes them for a person to label."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.classifier import Classifier
from model.files import replacing
from model.vectors import embed
from training.annotation.choose import Uncertainty, choose, uncertainty
from training.annotation.review import formula_safe
from training.annotation.table import read_rows
from training.data.duplicates import distinct, normalised
from training.errors import UsageError

BATCH_TEXTS = 4096
"""Texts whose probabilities are computed at once."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Texts in the order in which they were chosen.

    Attributes:
        texts, files, rows: each text, the file in which it stands first, and its row there.
        labels, uncertainty: the checkpoint's most probable label, and how unsure it is, 0 to 1.
        num_texts: distinct texts among which they were chosen.
    """

    texts: list[str]
    files: list[str]
    rows: list[int]
    labels: list[str]
    uncertainty: list[float]
    num_texts: int

    def __len__(self) -> int:
        return len(self.texts)


def choose_from(
    files: Sequence[Path],
    checkpoint: Path,
    count: int,
    *,
    but_not: Sequence[Path] = (),
    kind: Uncertainty = "entropy",
    seed: int = 0,
    text_column: str = "text",
    device: str = "auto",
) -> Chosen:
    """Chooses `count` texts of `files`, each once; a text is known if it is in `but_not` but for case and spaces.

    Raises:
        TableError: a file cannot be read.
        CheckpointError: the checkpoint cannot be loaded.
        UsageError: no text is left beside those of `but_not`.
    """
    classifier = Classifier.load(checkpoint, device=device)
    rows = read_rows(files, text_column=text_column)
    known = {normalised(text) for path in but_not for text in read_rows([path], text_column=text_column).distinct}
    texts = distinct(rows.distinct, but_not=known)
    if not texts:
        raise UsageError("every text has a label already: there is none to choose")
    probabilities_NC = np.concatenate(
        [
            classifier.score(classifier.encode(texts[start : start + BATCH_TEXTS]))
            for start in range(0, len(texts), BATCH_TEXTS)
        ]
    )
    unsure_N = uncertainty(probabilities_NC, kind=kind, multi_label=classifier.task == "multi_label")
    found = choose(unsure_N, embed(classifier, texts), count, seed=seed)
    places = found.places.tolist()
    first = {text: place for place, text in reversed(list(enumerate(rows.texts)))}
    stands = [first[texts[place]] for place in places]
    best_N = probabilities_NC.argmax(axis=1)
    return Chosen(
        [texts[place] for place in places],
        [rows.files[stand] for stand in stands],
        [rows.numbers[stand] for stand in stands],
        [classifier.labels[best_N[place]] for place in places],
        found.uncertainty.tolist(),
        len(texts),
    )


def write_chosen(output: Path, chosen: Chosen, *, text_column: str) -> None:
    """Writes the texts with an empty column `label`: as Parquet if the name ends so, else as CSV.

    Raises:
        UsageError: the text column is called as another one of the file.
        OSError: it cannot be written.
    """
    others = {
        "file": chosen.files,
        "row": chosen.rows,
        "predicted": chosen.labels,
        "uncertainty": [round(value, 4) for value in chosen.uncertainty],
    }
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
