"""A sample of labelled texts for a person to label too, and how far both agree.

The person does not see the model's label, which would be copied too readily. A row is found again by a digest of its
text, whatever a spreadsheet did to the others.
"""

import csv
import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from model.files import replacing
from tables.columns import choose_texts
from tables.errors import MissingColumnError
from tables.label_names import label_name
from tables.labels import read_texts
from tables.reader import Column, read_batches, read_columns
from training.data.column_names import LABEL
from training.errors import DataError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, and would run it."""


def review_path(output: Path) -> Path:
    """Place of the sample that belongs to a file of labels.

    >>> review_path(Path("labels.parquet")).name
    'labels.review.csv'
    """
    return output.with_name(f"{output.stem}.review.csv")


def draw_sample(labels: Mapping[str, str], count: int, *, seed: int) -> list[str]:
    """Draws texts in random order, of each label in proportion to its number and at least one.

    Args:
        labels: the label of each text.
        count: texts to draw; rare labels may add a few, and all are drawn if there are no more.
        seed: of the draw.
    """
    rng = random.Random(seed)
    by_label: dict[str, list[str]] = {}
    for text, label in labels.items():
        by_label.setdefault(label, []).append(text)
    shares = {label: count * len(texts) / len(labels) for label, texts in by_label.items()}
    wanted = {label: min(max(1, int(share)), len(by_label[label])) for label, share in shares.items()}
    by_remainder = sorted(shares, key=lambda label: (wanted[label] - shares[label], label))
    for label in by_remainder * 2:
        if sum(wanted.values()) >= min(count, len(labels)):
            break
        wanted[label] += wanted[label] < len(by_label[label])
    drawn = [text for label in sorted(by_label) for text in rng.sample(by_label[label], wanted[label])]
    rng.shuffle(drawn)
    return drawn


def write_review(path: Path, texts: Sequence[str]) -> bool:
    """Writes the sample as CSV with an empty column `label`; false if a person has begun to fill the file there.

    Raises:
        TableError: a file stands there that is no such sample.
        OSError: it cannot be written.
    """
    if path.exists() and read_review(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "text", "label"])
        writer.writerows([_key(text), formula_safe(text), ""] for text in texts)
    return True


def read_review(path: Path) -> dict[str, tuple[int, str]]:
    """Row number in the CSV and the person's label, by the key of the text; rows without a label are left out.

    Raises:
        TableError: the file cannot be read, or a label is none.
    """
    try:
        keys, labels = read_columns(path, ["key", "label"])
    except MissingColumnError as error:
        raise MissingColumnError(error.path, f"{error.cause}; label --review writes such a file") from error
    found = {}
    for place, (key, label) in enumerate(zip(keys.values, labels.values, strict=True)):
        if _is_empty(label):
            continue
        found[str(key).strip()] = (keys.rows[place].number, _name(labels, place))
    return found


def read_pairs(labelled: Path, review: Path, *, text_column: str | None) -> list[tuple[str, str]]:
    """The person's and the model's label of each text that the person labelled.

    A person's label is the model's if they differ in case only.

    Raises:
        TableError: a file cannot be read, or (as `DataError`) nothing in `review` is filled in, or it belongs to
            another file.
    """
    filled = read_review(review)
    if not filled:
        raise DataError(review, "no label is filled in", column="label")
    *parts, labels = read_columns(labelled, [*choose_texts(labelled, text_column), LABEL])
    texts, places = read_texts(*parts)
    given = [labels.values[place] for place in places]
    of_model = {_key(text): str(label) for text, label in zip(texts, given, strict=True) if not _is_empty(label)}
    known = {name.casefold(): name for name in of_model.values()}
    pairs = []
    for key, (row, label) in filled.items():
        if key not in of_model:
            raise DataError(review, f"row {row} has the key of no labelled text in {labelled}", column="key")
        pairs.append((known.get(label.casefold(), label), of_model[key]))
    return pairs


def known_labels(labelled: Path) -> set[str]:
    """The labels in a file that `label` wrote: those given, and those that have a column of log-probabilities.

    Raises:
        TableError: the file cannot be read.
    """
    (given,) = read_columns(labelled, [LABEL])
    names = {str(name) for name in given.values if not _is_empty(name)}
    first = next(read_batches(labelled, None, batch_rows=1))
    return names | {field.name for field in first.records.schema if pa.types.is_floating(field.type)}


def _is_empty(label: object) -> bool:
    return label is None or not str(label).strip()


def _name(labels: Column, place: int) -> str:
    try:
        return label_name(labels.values[place])
    except ValueError as error:
        raise labels.error(place, str(error)) from None


def _key(text: str) -> str:
    """The start of a digest, with a letter in front: no spreadsheet takes it for a number."""
    return "t" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:15]


def formula_safe(text: str) -> str:
    """The text as a cell of a CSV file, with an apostrophe before what a spreadsheet would take for a formula.

    >>> formula_safe("=1+1"), formula_safe("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
