"""`python -m training vectors`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DEVICE, FILE, SHARD, TEXTS_IN, THREADS


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--encoder", type=FILE, required=True, help="Folder of a sentence encoder that transformers loads.")
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@click.option("--prefix", default="", help="Put before each text, with a space; e5 wants 'query:'.")
@click.option("--max-tokens", type=click.IntRange(min=3), default=128, show_default=True, help="Cut longer texts.")
@SHARD
@TEXTS_IN
@DEVICE
@THREADS
def vectors(
    files: tuple[Path, ...], encoder: Path, output: Path, prefix: str, max_tokens: int, device: str, **options: Any
) -> None:
    """Writes an encoder's sentence vectors of texts, for pretrain --vectors.

    A vector is the mean over the text's tokens, of length 1, in float16. An interrupted call goes on where it was when
    it is made again: what is done stands in OUTPUT.parts.

    \b
    python -m training vectors sentences.parquet --encoder mpnet --output vectors.parquet
    python -m training vectors sentences.parquet --encoder e5 --prefix query: --output more.parquet
    python -m training pretrain sentences.parquet --vectors vectors.parquet --vectors more.parquet --output runs/encoder
    """
    from model.device import resolve_device
    from training.evaluation.report import make_console
    from training.teachers.labelling import LabellingLines
    from training.teachers.sentence_encoder import SentenceEncoder, write_vectors

    console = make_console()
    asked = SentenceEncoder(encoder, max_tokens=max_tokens, prefix=prefix, device=resolve_device(device))
    written = write_vectors(asked, files, output, report=LabellingLines(console, verb="read"), **options)
    console.print(f"wrote the vectors of {written:,} texts to {output}", markup=False)
