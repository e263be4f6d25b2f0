"""The gates of a checkpoint over a sentence and its negation: where the cell state turns.

    python -m examples.gates ["The food was good." "The food was not good."] [--checkpoint checkpoints/sentiment]

Both texts go through `model.explain.gates.trace`, the LSTM that is written out in `model.cell`. Of the first layer's
forward direction it shows the mean over units of each gate at each token, and the cell state of the unit that tells
the two texts apart most at their last token, with its gates.

Shape suffixes: T tokens, H hidden units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from examples.output import OUTPUT, save
from model.checkpoint import Checkpoint, load_checkpoint
from model.classifier import Classifier
from model.errors import ModelError
from model.explain.gates import trace
from model.explain.offsets import Aligner

Floats = npt.NDArray[np.float32]

TEXTS = ("The food was good.", "The food was not good.")
CHECKPOINT = Path("checkpoints/sentiment")
GATES = ("input", "forget", "output")


@dataclass(frozen=True, slots=True)
class Traced:
    """One text, read forward by the first layer.

    Attributes:
        label, score: what the checkpoint makes of it.
        tokens: the characters of each, T of them.
        states_TH: by name: input, forget, candidate, output, cell, hidden.
    """

    label: str
    score: float
    tokens: list[str]
    states_TH: dict[str, Floats]


def trace_all(checkpoint: Checkpoint, texts: Sequence[str]) -> list[Traced]:
    """Every text through the checkpoint's cell.

    Raises:
        click.UsageError: its first layer is not of LSTMs, or a text has no tokens.
    """
    if checkpoint.config.architecture.cell not in ("lstm", "peephole", "layernorm"):
        raise click.UsageError("this checkpoint has no cell state to show")
    network, classifier = checkpoint.build_network(), Classifier(checkpoint, device="cpu")
    aligner = Aligner(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens)
    traced = []
    for text, scores in zip(texts, classifier.predict(texts), strict=True):
        aligned = aligner.align(text)
        layers = trace(network, aligned.ids)
        if not aligned.spans or not layers:
            raise click.UsageError("there is nothing to trace: a text without tokens, or a network without layers")
        states = {name: state_TH.numpy() for name, state_TH in layers[0].states_TH.items()}
        tokens = [text[start:end] for start, end in aligned.spans]
        best = int(scores.argmax())
        traced.append(Traced(classifier.labels[best], float(scores[best]), tokens, states))
    return traced


def telling_unit(traced: Sequence[Traced]) -> int:
    """The unit whose cell state differs most between the last tokens of the first and the last text."""
    first_H, last_H = traced[0].states_TH["cell"][-1], traced[-1].states_TH["cell"][-1]
    return int(np.abs(first_H - last_H).argmax())


def draw(traced: Sequence[Traced]) -> Figure:
    """A column a text: the gates' means, then one unit's gates, then its cell state."""
    unit = telling_unit(traced)
    figure = Figure(figsize=(4.5 * len(traced), 6), layout="constrained")
    rows = figure.subplots(3, len(traced), sharex="col", sharey="row", squeeze=False)
    for column, text in enumerate(traced):
        mean, single, cell = rows[:, column]
        for name in GATES:
            mean.plot(text.states_TH[name].mean(axis=1), "o-", label=name)
            single.plot(text.states_TH[name][:, unit], "o-")
        cell.plot(text.states_TH["cell"][:, unit], "ko-", label="c")
        cell.plot(text.states_TH["candidate"][:, unit], "x", color="0.5", label="g")
        cell.axhline(0, color="0.8", zorder=0)
        cell.set_xticks(range(len(text.tokens)), [token.replace("$", r"\$") for token in text.tokens], rotation=45)
        mean.set_title(f"{text.label} {text.score:.2f}")
    for place, name in enumerate(("i, f, o: mean", f"i, f, o: unit {unit}", f"c, g: unit {unit}")):
        rows[place, 0].set_ylabel(name)
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    rows[2, 0].legend(fontsize="small")
    return figure


@click.command()
@click.argument("texts", nargs=-1)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=CHECKPOINT, show_default=True)
@OUTPUT
def main(texts: tuple[str, ...], checkpoint: Path, output: Path) -> None:
    """Traces the gates over TEXTS; prints a unit's cell state and writes gates.png into --output."""
    try:
        loaded = load_checkpoint(checkpoint)
    except ModelError as error:
        raise click.UsageError(str(error)) from None
    traced = trace_all(loaded, texts or TEXTS)
    unit = telling_unit(traced)
    for text in traced:
        click.echo(f"{text.label} {text.score:.3f}; cell state of unit {unit}:")
        click.echo(
            "  ".join(f"{t} {c:+.2f}" for t, c in zip(text.tokens, text.states_TH["cell"][:, unit], strict=True))
        )
    save(draw(traced), output, "gates.png")


if __name__ == "__main__":
    main()
