"""Draws the figures of docs/lstm.md and docs/lstm.zh.md from the examples, as SVG into docs/figures.

    python -m examples.figures

The variants are drawn from what `python -m examples.variants --output docs/figures` measured, which takes minutes; the
rest is computed here. The same numbers give the same bytes: no date, and identifiers that are not drawn at random.
"""

import json
from collections.abc import Callable
from pathlib import Path

import click
from matplotlib import rc_context
from matplotlib.figure import Figure

from examples import gates, gradients, variants
from model.checkpoint import load_checkpoint
from model.encoder import Encoder

FOLDER = Path("docs/figures")


def draw_gates() -> Figure:
    """Figure of a sentence and its negation in the shipped checkpoint."""
    return gates.draw(gates.trace_all(load_checkpoint(gates.CHECKPOINT), gates.TEXTS))


def draw_gradients() -> Figure:
    """Figure of the gradient that is left after k steps, by cell and forget bias."""
    return gradients.draw(gradients.measure())


def draw_variants() -> Figure:
    """Figure of the recorded comparison of variants."""
    report = json.loads((FOLDER / "variants.json").read_text(encoding="utf-8"))
    return variants.draw({title: variants.VariantResult(**row) for title, row in report["rows"].items()})


def draw_parameters() -> Figure:
    """Figure of the parameters of one layer, by cell, at the widths of the shipped checkpoint."""
    shape = load_checkpoint(gates.CHECKPOINT).config.architecture
    figure = Figure(figsize=(7, 2.5), layout="constrained")
    axes = figure.subplots()
    cells = {"plain RNN": "rnn", "GRU": "gru", "LSTM": "lstm", "peephole": "peephole", "layer norm": "layernorm"}
    groups = {"W: input": ("weight_ih",), "U: recurrent": ("weight_hh",), "biases, gains, peepholes": ()}
    for place, cell in enumerate(cells.values()):
        layer = Encoder(shape.model_copy(update={"cell": cell, "bidirectional": False})).recurrent()
        sizes = {name: parameter.numel() for name, parameter in layer.named_parameters()}
        left = 0
        for number, (title, names) in enumerate(groups.items()):
            size = sum(sizes.pop(name) for name in names) if names else sum(sizes.values())
            axes.barh(place, size, left=left, color=f"C{number}", label=title if place == 0 else None)
            left += size
        axes.text(left, place, f" {left:,}", va="center")
    axes.set_yticks(range(len(cells)), list(cells))
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("parameters of one direction")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "gates": draw_gates,
    "gradients": draw_gradients,
    "variants": draw_variants,
    "parameters": draw_parameters,
}


def save(figure: Figure, path: Path) -> None:
    """Writes an SVG in which letters stay letters: the file is small, and they can be selected."""
    with rc_context({"svg.hashsalt": "sluice", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def main(output: Path) -> None:
    """Draws the figures of docs/lstm.md; run it in the repository's root."""
    output.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        save(draw(), output / f"{name}.svg")
        click.echo(f"{output / name}.svg")


if __name__ == "__main__":
    main()
