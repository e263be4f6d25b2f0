"""`python -m training embed`."""

from pathlib import Path

import click

from training.cli.options import DEVICE, FILE, SHEET, TEXTS_IN, THREADS

EVERY_S = 10.0
"""Time between two lines of progress."""


@click.command()
@click.argument("folder", type=FILE)
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@click.option(
    "--vectors",
    metavar="NAME",
    help="Of a folder of pretrain: the encoder whose vectors it imitates; 'all' for those of each side by side; or "
    "'pooled' for the states that their maps read.  [default: the encoder that most texts were learned with]",
)
@click.option("--keep", multiple=True, metavar="COLUMN", help="A further column to write along. Repeatable.")
@TEXTS_IN
@SHEET
@DEVICE
@THREADS
def embed(
    folder: Path,
    files: tuple[Path, ...],
    output: Path,
    vectors: str | None,
    keep: tuple[str, ...],
    text_column: str | None,
    sheet: str | None,
    device: str,
) -> None:
    """Writes sentence vectors of the texts of FILES, by FOLDER.

    FOLDER is one that pretrain wrote, whose vectors tell what a text is about, or a checkpoint, whose vectors tell what
    it was trained to tell. OUTPUT is Parquet: the text, the columns to keep, and vector, float32 numbers of length 1,
    so that a dot product of two is their cosine. All rows are written, in their order; one without a text has zeros and
    is named. Memory does not grow with the files.

    \b
    python -m training embed checkpoints/encoder reviews.csv --output vectors.parquet --keep id
    """
    import time

    from model.embedder import Embedder, load_embedder
    from training.data.embedding import Embedded, embed_files
    from training.data.sentence_vectors import VectorSource
    from training.evaluation.report import make_console

    model = load_embedder(folder, vectors=vectors, device=device, dtype="auto")
    name = "+".join((folder.resolve().name, *(model.maps if isinstance(model, Embedder) else ())))
    console, told = make_console(), [time.perf_counter()]

    def report(progress: Embedded) -> None:
        if time.perf_counter() - told[0] >= EVERY_S:
            told[0] = time.perf_counter()
            rate = progress.rows / progress.seconds
            console.print(f"{progress.rows:,} rows, {rate:,.0f} a second", highlight=False)

    source = VectorSource(name, f"{model.version} {name}")
    written = embed_files(model, source, files, output, text_column=text_column, keep=keep, sheet=sheet, report=report)
    for path, places in written.without.items():
        verb = "has" if places.count == 1 else "have"
        console.print(f"warning: {path}: {places} {verb} no text, and a vector of zeros", markup=False, soft_wrap=True)
    console.print(
        f"wrote the vectors of {written.rows:,} rows, {model.vector_size} numbers each, to {output}", markup=False
    )
