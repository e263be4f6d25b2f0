"""Counts multiplications a token, in a checkpoint of ours and in a transformer.

    python -m benchmarks.engine.multiplications [CHECKPOINT] [--transformer FOLDER]

Counted from the shapes, not timed. Of ours: the products of the recurrent layers, as if the first layer's input product
were computed (the engine looks it up instead); what is done once a text is left out. Of the transformer: the weights of
its layers, and attention's two products with the other tokens of a text. Element-wise work is left out of both.
"""

import json
from pathlib import Path

import click

from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import load_checkpoint
from model.config import Architecture

MINILM = {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536}
"""`config.json` of sentence-transformers/all-MiniLM-L6-v2."""

TOKENS = 32
"""Of a text: about a sentence."""


def of_lstm(architecture: Architecture) -> int:
    """4 H (D + H) for each layer and direction; D is the width of what the layer reads.

    >>> of_lstm(Architecture(vocab_size=1000, embedding_dim=160, hidden_size=128))
    294912
    """
    inputs = [architecture.embedding_dim, *[architecture.state_size] * (architecture.num_layers - 1)]
    hidden = architecture.hidden_size
    return sum(architecture.num_directions * 4 * hidden * (width + hidden) for width in inputs)


def of_transformer(config: dict[str, int], tokens: int) -> int:
    """For each layer 4 d² (query, key, value, output) + 2 d f (feed-forward) + 2 T d (attention).

    Source: Vaswani et al. 2017, sections 3.2 and 3.3; table 1.

    >>> of_transformer(MINILM, tokens=32)
    10764288
    """
    width, inner = config["hidden_size"], config["intermediate_size"]
    return config["num_hidden_layers"] * (4 * width * width + 2 * width * inner + 2 * tokens * width)


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--transformer", type=click.Path(path_type=Path, exists=True), help="Its folder, instead of MiniLM-L6.")
@click.option("--tokens", default=TOKENS, show_default=True, help="Of a text.")
def main(checkpoint: Path, transformer: Path | None, tokens: int) -> None:
    """Prints both, in millions."""
    architecture = load_checkpoint(checkpoint).config.architecture
    if architecture.cell not in ("lstm", "peephole", "layernorm") or architecture.conv_width:
        raise click.ClickException("counts LSTMs without a convolution only")
    config = MINILM if transformer is None else json.loads((transformer / "config.json").read_text("utf-8"))
    ours, theirs = of_lstm(architecture), of_transformer(config, tokens)
    print(f"{checkpoint.name}: {ours / 1e6:.2f} million multiplications a token")
    print(f"{transformer.name if transformer else 'MiniLM-L6'}: {theirs / 1e6:.2f} million, {theirs / ours:.0f} times")


if __name__ == "__main__":
    main()
