"""`python -m training export`."""

from pathlib import Path

import click

from training.cli.options import FILE


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--onnx", is_flag=True, required=True, help="In ONNX's form, the only one that there is.")
@click.option("--output", type=FILE, required=True, help="The folder to write; an older export there is replaced.")
def export(checkpoint: Path, onnx: bool, output: Path) -> None:
    """Writes CHECKPOINT in a form that runs without Sluice, in ONNX Runtime on servers, phones and in browsers.

    The folder has model.onnx, tokenizer.json, config.json and a README.md with the code that uses them from Python and
    JavaScript. N-grams, calibration and every cell and pooling are in the graph: the probabilities are those of the
    checkpoint in float32, to 1e-5.

    \b
    python -m training export checkpoints/sentiment --onnx --output build/sentiment-onnx
    """
    del onnx
    from model.export.folder import export_onnx

    for name, size in export_onnx(checkpoint, output).items():
        click.echo(f"{output / name}: {size:,} bytes")
