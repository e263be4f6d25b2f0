"""Linear probe of sentence vectors: logistic regression on the vectors of folders and of encoders of transformers.

    python -m benchmarks.training.probe sst2 subj emotion --data DATA --folder checkpoints/encoder --encoder MINILM
    python -m benchmarks.training.probe chnsenticorp --data DATA --folder checkpoints/encoder --encoder E5:query:

DATA holds SET/train.parquet (or SET/train_sentences.parquet, which comes first), SET/validation.parquet and
SET/test.parquet, with the columns text and label. Vectors have length 1, as `embed` and the server give them, and those
of an encoder are the mean over its tokens; behind its folder may stand a colon and the prefix that it wants.

Up to `--rows` training texts are drawn by seed 0, and up to `--validation-rows` of validation. The strength of the
regression is that of the best validation accuracy. Printed is accuracy on the validation texts, which have picked the
strength; with `--split test`, as the last thing before figures are published, on the test file. The share is of the
first encoder's accuracy. Vectors of encoders are kept in `--kept`, for they take minutes.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import click
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.linear_model import LogisticRegression

from model.embedder import load_embedder
from model.vectors import Vectors, embed
from training.cli.options import limit_threads
from training.teachers.sentence_encoder import SentenceEncoder

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""C of the regression: the inverse of its regularisation."""

Split = Literal["validation", "test"]
Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts of one file and the label of each."""

    texts: list[str]
    labels: npt.NDArray[np.str_]


def read(path: Path, rows: int | None) -> Labelled:
    """Reads a file, or so many rows of it drawn by seed 0; the same rows for everybody."""
    table = pq.read_table(path, columns=["text", "label"])
    if rows is not None and len(table) > rows:
        table = table.take(pa.array(np.random.default_rng(0).permutation(len(table))[:rows]))
    return Labelled(table["text"].to_pylist(), np.array(table["label"].to_pylist()))


def read_set(folder: Path, split: Split, rows: int, validation_rows: int) -> tuple[Labelled, Labelled, Labelled]:
    """Texts to fit, to pick the strength by, and to score."""
    sentences = folder / "train_sentences.parquet"
    train = read(sentences if sentences.exists() else folder / "train.parquet", rows)
    validation = read(folder / "validation.parquet", validation_rows)
    return train, validation, validation if split == "validation" else read(folder / "test.parquet", None)


def probe(embedded: Embed, train: Labelled, validation: Labelled, scored: Labelled) -> float:
    """Accuracy, 0 to 1, of the regression that does best on the validation texts."""
    train_ND, validation_ND = embedded(train.texts), embedded(validation.texts)
    fitted = [LogisticRegression(C=strength, max_iter=2000).fit(train_ND, train.labels) for strength in STRENGTHS]
    best = max(fitted, key=lambda each: each.score(validation_ND, validation.labels))
    return float(best.score(embedded(scored.texts), scored.labels))


def kept(folder: Path, key: str, embedded: Embed, texts: Sequence[str]) -> Vectors:
    """Vectors from a file of an earlier call with the same texts, or computed and written there."""
    digest = hashlib.sha256("\0".join((key, *texts)).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    path = folder / f"{digest}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, embedded(texts))
    found: Vectors = np.load(path)
    return found


def by_encoder(name: str, kept_in: Path) -> Embed:
    """Vectors of an encoder of transformers: its folder, and perhaps a colon and a prefix."""
    folder, _, prefix = name.partition(":")
    encoder = SentenceEncoder(Path(folder), max_tokens=128, prefix=prefix, device=torch.device("cpu"))

    def embedded(texts: Sequence[str]) -> Vectors:
        return encoder.vectors(texts).astype(np.float32)

    return lambda texts: kept(kept_in, encoder.source.digest, embedded, texts)


def table(figures: Mapping[tuple[str, str], float], first: str) -> list[str]:
    """Lines of Markdown: accuracy in percent by set and contender, and the share of the first encoder's."""
    sets, names = list(dict.fromkeys(name for name, _ in figures)), list(dict.fromkeys(name for _, name in figures))
    lines = ["| set | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for each in sets:
        cells = []
        for name in names:
            share = "" if name == first else f" ({figures[each, name] / figures[each, first]:.1%})"
            cells.append(f"{100 * figures[each, name]:.1f}{share}")
        lines.append(f"| {each} | " + " | ".join(cells) + " |")
    return lines


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--folder", "folders", multiple=True, required=True, help="As `embed` takes it; :NAME picks the vectors.")
@click.option("--encoder", "encoders", multiple=True, required=True, help="See above. Repeatable.")
@click.option("--rows", default=4000, show_default=True, help="Training texts of a set.")
@click.option("--validation-rows", default=1000, show_default=True, help="Validation texts of a set.")
@click.option("--split", type=click.Choice(["validation", "test"]), default="validation", show_default=True)
@click.option("--kept", "kept_in", type=click.Path(path_type=Path), required=True, help="Folder of encoders' vectors.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads.")
def main(
    sets: tuple[str, ...],
    data: Path,
    folders: tuple[str, ...],
    encoders: tuple[str, ...],
    rows: int,
    validation_rows: int,
    split: Split,
    kept_in: Path,
    threads: int,
) -> None:
    """Prints a table of accuracies."""
    limit_threads(threads)
    contenders: dict[str, Embed] = {}
    for name in encoders:
        contenders[Path(name.partition(":")[0]).name] = by_encoder(name, kept_in)
    first = next(iter(contenders))
    for name in folders:
        path, _, vectors = name.partition(":")
        model = load_embedder(Path(path), vectors=vectors or None, device="cpu", dtype="auto")
        contenders[f"{Path(path).name}{vectors and ':' + vectors}"] = partial(embed, model)
    figures = {}
    for each in sets:
        texts = read_set(data / each, split, rows, validation_rows)
        for name, embedded in contenders.items():
            figures[each, name] = probe(embedded, *texts)
            click.echo(f"{each} {name} {100 * figures[each, name]:.2f}", err=True)
    for line in table(figures, first):
        click.echo(line)


if __name__ == "__main__":
    main()
