"""Network of a checkpoint as an ONNX graph: token ids and lengths in, calibrated logits and probabilities out.

The same arithmetic as `model.network` and `model.encoder`, from the weights as the checkpoint stores them.

Shape suffixes: T time steps, B batch, E embedding, H hidden units of one direction, S = H * directions, C labels.
"""

import numpy as np

from model.checkpoint import Checkpoint
from model.export.graph import FLOAT, INT64, Graph, Model, finished, integers, tensor
from model.export.ngrams import ngram_logits
from model.export.recurrent import layer
from model.temperature import Temperature

LOWEST = np.finfo(np.float32).min
"""Less than any state or score: a text with tokens never gives it."""


def onnx_model(checkpoint: Checkpoint) -> Model:
    """Builds the model of a checkpoint, checked against the standard.

    Inputs: `ids`, int64 [B, T], token ids padded with any id, T at least 1; `lengths`, int64 [B], 0 to T.
    Outputs: `probabilities`, float32 [B, C], calibrated; `logits`, [B, C], over the temperature.
    """
    graph = Graph()
    network = _Network(graph, checkpoint)
    logits_BC = graph.op("Mul", network.logits(), network.inverse_temperature(), name="logits")
    if checkpoint.config.task == "multi_label":
        graph.op("Sigmoid", logits_BC, name="probabilities")
    else:
        graph.op("Softmax", logits_BC, axis=1, name="probabilities")
    num_labels = len(checkpoint.config.labels)
    proto = graph.proto(
        [tensor("ids", INT64, ["B", "T"]), tensor("lengths", INT64, ["B"])],
        [tensor(name, FLOAT, ["B", num_labels]) for name in ("probabilities", "logits")],
    )
    return finished(proto, {"checkpoint": checkpoint.version, "labels": "\n".join(checkpoint.config.labels)})


class _Network:
    """A checkpoint's network that is being written into a graph."""

    def __init__(self, graph: Graph, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._weights = checkpoint.weights
        self._shape = checkpoint.config.architecture
        self._op, self._graph = graph.op, graph
        self._ids_TB = graph.op("Transpose", "ids", perm=[1, 0])
        num_steps = graph.op("Gather", graph.op("Shape", self._ids_TB), np.int64(0))
        places_T = graph.op("Range", np.int64(0), num_steps, np.int64(1))
        self._places_T1 = graph.op("Unsqueeze", places_T, integers(1))
        self._inside_TB = graph.op("Less", self._places_T1, "lengths")
        self._inside_TB1 = graph.op("Unsqueeze", self._inside_TB, integers(2))
        self._some_B = graph.op("Max", "lengths", np.int64(1))
        """Lengths, but 1 for a text without tokens: a layer reads one step, which pooling leaves out."""

    def logits(self) -> str:
        """Logits [B, C] before the temperature."""
        embedding = self._weights["embedding"]
        x_TBE = self._graph.as_float32(self._op("Gather", embedding, self._ids_TB), embedding)
        pooled = self._pooled(self._states(self._convolved(x_TBE)))
        head = [self._graph.floats(self._weights[f"head.{name}"]) for name in ("weight", "bias")]
        logits_BC = self._op("Gemm", pooled, *head, transB=1)
        if not self._shape.ngram_buckets:
            return logits_BC
        table = self._weights["ngrams.table"]
        ngrams_BC = ngram_logits(self._graph, self._shape, table, self._ids_TB, "lengths", self._places_T1)
        return self._op("Add", logits_BC, ngrams_BC)

    def inverse_temperature(self) -> str:
        """One over the temperature, [B, 1] or [1, 1]; see `model.temperature`."""
        temperature = Temperature.of_checkpoint(self._checkpoint.config, self._checkpoint.tokenizer)
        other = np.full((1, 1), 1 / temperature.other, dtype=np.float32)
        if temperature.chinese is None or temperature.chinese_V is None:
            return self._op("Identity", other)
        marks_TB = self._op("And", self._op("Gather", temperature.chinese_V, self._ids_TB), self._inside_TB)
        counts_B = self._op("ReduceSum", self._op("Cast", marks_TB, to=FLOAT), integers(0), keepdims=0)
        share_B = self._op("Div", counts_B, self._op("Cast", self._some_B, to=FLOAT))
        share_B1 = self._op("Unsqueeze", share_B, integers(1))
        difference = np.float32(1 / temperature.chinese - 1 / temperature.other)
        return self._op("Add", self._op("Mul", share_B1, difference), other)

    def _convolved(self, x_TBE: str) -> str:
        if not self._shape.conv_width:
            return x_TBE
        x_BET = self._op("Transpose", self._op("Where", self._inside_TB1, x_TBE, np.float32(0)), perm=[1, 2, 0])
        weights = [self._graph.floats(self._weights[f"convolution.{name}"]) for name in ("weight", "bias")]
        y_BET = self._op("Conv", x_BET, *weights, pads=[self._shape.conv_width // 2] * 2)
        return self._op("Transpose", self._op("Relu", y_BET), perm=[2, 0, 1])

    def _states(self, x_TBD: str) -> list[str]:
        """States [T, B, H] of the highest layer's directions, zero in the padding; without layers the text itself."""
        states = [x_TBD]
        for depth in range(self._shape.num_layers):
            starts = [f"layers.{depth}.{direction}." for direction in range(self._shape.num_directions)]
            directions = [
                {name.removeprefix(start): w for name, w in self._weights.items() if name.startswith(start)}
                for start in starts
            ]
            states = layer(self._graph, self._shape.cell, self._side_by_side(states), self._some_B, directions)
        return [self._op("Where", self._inside_TB1, states_TBH, np.float32(0)) for states_TBH in states]

    def _side_by_side(self, states: list[str]) -> str:
        return states[0] if len(states) == 1 else self._op("Concat", *states, axis=2)

    def _pooled(self, states: list[str]) -> str:
        """The pooled vector [B, pooled_size] of states that are zero in the padding."""
        if self._shape.pooling == "attention":
            return self._attention(self._side_by_side(states))
        pools = {"max": self._largest, "mean": self._mean, "last": self._last}
        names = self._shape.pooling.split("_")
        parts = [pools[name](states_TBH, place) for name in names for place, states_TBH in enumerate(states)]
        return parts[0] if len(parts) == 1 else self._op("Concat", *parts, axis=1)

    def _largest(self, states_TBH: str, _direction: int) -> str:
        """The largest value over the text, [B, H]; as the other two, zeros for a text without tokens."""
        largest_BH = self._op(
            "ReduceMax", self._op("Where", self._inside_TB1, states_TBH, LOWEST), integers(0), keepdims=0
        )
        some_B1 = self._op("Gather", self._inside_TB1, np.int64(0))
        return self._op("Where", some_B1, largest_BH, np.float32(0))

    def _mean(self, states_TBH: str, _direction: int) -> str:
        """The mean over the text, [B, H]."""
        some_B1 = self._op("Unsqueeze", self._op("Cast", self._some_B, to=FLOAT), integers(1))
        return self._op("Div", self._op("ReduceSum", states_TBH, integers(0), keepdims=0), some_B1)

    def _last(self, states_TBH: str, direction: int) -> str:
        """The state after the last token in reading direction, [B, H]: backwards that is the first of the text."""
        if direction == 1:
            return self._op("Gather", states_TBH, np.int64(0))
        last_TB = self._op("Equal", self._places_T1, self._op("Sub", "lengths", np.int64(1)))
        last_TBH = self._op("Where", self._op("Unsqueeze", last_TB, integers(2)), states_TBH, np.float32(0))
        return self._op("ReduceSum", last_TBH, integers(0), keepdims=0)

    def _attention(self, states_TBS: str) -> str:
        """The mean [B, S] of `model.encoder.Attention`."""
        weight, bias, context = (
            self._weights[f"attention.{name}"] for name in ("project.weight", "project.bias", "context.weight")
        )
        seen = self._op("MatMul", states_TBS, self._graph.floats(weight.T))
        seen = self._op("Tanh", self._op("Add", seen, self._graph.floats(bias)))
        scores_TB1 = self._op("MatMul", seen, self._graph.floats(context.T))
        scores_TB1 = self._op("Where", self._inside_TB1, scores_TB1, LOWEST)
        weighted = self._op("Mul", self._op("Softmax", scores_TB1, axis=0), states_TBS)
        return self._op("ReduceSum", weighted, integers(0), keepdims=0)
