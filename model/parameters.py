"""Names and shapes of a network's weights, by its configuration; PyTorch is not needed to know them.

Shape suffixes as in `model.network`.
"""

from model.config import Architecture, Cell, EncoderShape

Shape = tuple[int, ...]

GATES: dict[Cell, int] = {"lstm": 4, "gru": 3, "rnn": 1, "peephole": 4, "layernorm": 4, "sru": 4}
"""Gates, or candidates, that the rows of a cell's weights are divided into; see `model.cells`."""


def weight_shapes(architecture: Architecture, num_labels: int) -> dict[str, Shape]:
    """Shape of each weight of `model.network.RecurrentClassifier`, by its name in a checkpoint.

    >>> shapes = weight_shapes(Architecture(vocab_size=9, embedding_dim=4, hidden_size=8, pooling="max"), 3)
    >>> shapes["embedding"], shapes["layers.0.1.weight_hh"], shapes["head.weight"]
    ((9, 4), (32, 8), (3, 16))
    """
    shapes = {
        "embedding": (architecture.vocab_size, architecture.embedding_dim),
        **_encoder_shapes(architecture),
        "head.weight": (num_labels, architecture.pooled_size),
        "head.bias": (num_labels,),
    }
    if architecture.ngram_buckets:
        shapes["ngrams.table"] = (architecture.ngram_buckets, num_labels)
    return shapes


def _encoder_shapes(shape: EncoderShape) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for layer in range(shape.num_layers):
        width = shape.embedding_dim if layer == 0 else shape.state_size
        for direction in range(shape.num_directions):
            cell = _cell_shapes(shape.cell, width, shape.hidden_size)
            found |= {f"layers.{layer}.{direction}.{name}": size for name, size in cell.items()}
    if shape.pooling == "attention":
        size = shape.state_size
        found |= {"attention.project.weight": (size, size), "attention.project.bias": (size,)}
        found["attention.context.weight"] = (1, size)
    if shape.conv_width:
        size = shape.embedding_dim
        found |= {"convolution.weight": (size, size, shape.conv_width), "convolution.bias": (size,)}
    return found


def _cell_shapes(cell: Cell, width: int, hidden: int) -> dict[str, Shape]:
    rows = GATES[cell] * hidden
    found: dict[str, Shape] = {"weight_ih": (rows, width), "weight_hh": (rows, hidden), "bias": (rows,)}
    if cell == "peephole":
        found["peephole"] = (3 * hidden,)
    if cell == "sru":
        found["weight_hh"] = (2, hidden)
    if cell == "layernorm":
        found |= {"gain_ih": (rows,), "gain_hh": (rows,), "gain_c": (hidden,), "bias_c": (hidden,)}
    return found
