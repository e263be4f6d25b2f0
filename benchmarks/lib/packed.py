"""A checkpoint as most people would serve it: `torch.nn.LSTM` over packed sequences in float32, the same weights.

Imports the library and PyTorch alone, so that other servers' environments can use it too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from model.network import RecurrentClassifier
from model.text import Encoded

BATCH_ROWS = 64

Floats = npt.NDArray[np.float32]
Answer = Callable[[Sequence[str]], Floats]
"""Logits or probabilities [N, C] of texts."""

Forward = Callable[[Tensor, Tensor], Tensor]


def in_batches(classifier: Classifier, compute: Callable[[list[Encoded]], Floats]) -> Answer:
    """Tokenises all texts, and computes them in batches of `BATCH_ROWS`, sorted by length."""

    def answer(texts: Sequence[str]) -> Floats:
        encoded = classifier.encode(texts)
        order = sorted(range(len(texts)), key=lambda i: encoded[i].num_tokens)
        result = np.zeros((len(texts), len(classifier.labels)), dtype=np.float32)
        for start in range(0, len(order), BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            result[rows] = compute([encoded[i] for i in rows])
        return result

    return answer


def padded(batch: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
    """Ids [B, T] and lengths [B], at least one token each."""
    lengths_B = torch.tensor([max(1, text.num_tokens) for text in batch])
    ids_BT = torch.zeros(len(batch), int(lengths_B.max()), dtype=torch.long)
    for row, text in enumerate(batch):
        ids_BT[row, : text.num_tokens] = torch.from_numpy(text.ids)
    return ids_BT, lengths_B


class Packed(nn.Module):
    """The same weights in `torch.nn.LSTM`, over packed sequences."""

    def __init__(self, network: RecurrentClassifier) -> None:
        super().__init__()
        shape = network.architecture
        self.embedding = nn.Embedding.from_pretrained(network.embedding.detach())
        self.lstm = nn.LSTM(shape.embedding_dim, shape.hidden_size, batch_first=True, bidirectional=True)
        self.head, self.ngrams = network.head, network.ngrams
        with torch.no_grad():
            for direction, suffix in enumerate(("", "_reverse")):
                layer = network.encoder.lstm(0, direction)
                getattr(self.lstm, f"weight_ih_l0{suffix}").copy_(layer.weight_ih)
                getattr(self.lstm, f"weight_hh_l0{suffix}").copy_(layer.weight_hh)
                getattr(self.lstm, f"bias_ih_l0{suffix}").copy_(layer.bias)
                getattr(self.lstm, f"bias_hh_l0{suffix}").zero_()

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits [B, C]; the lengths are on the CPU, where packing wants them."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(ids_BT), lengths_B, batch_first=True, enforce_sorted=False
        )
        lengths_B = lengths_B.to(ids_BT.device)
        states, (last, _) = self.lstm(packed)
        states_BTS, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        steps_T = torch.arange(states_BTS.shape[1], device=ids_BT.device)
        inside_BT1 = (steps_T < lengths_B.unsqueeze(1)).unsqueeze(2)
        largest = states_BTS.masked_fill(~inside_BT1, float("-inf")).amax(1)
        mean = states_BTS.sum(1) / lengths_B.unsqueeze(1)
        logits_BC: Tensor = self.head(torch.cat([largest, mean, last[0], last[1]], dim=1))
        return logits_BC if self.ngrams is None else logits_BC + self.ngrams(ids_BT.T, lengths_B)


def of_module(module: Forward) -> Callable[[list[Encoded]], Floats]:
    """A batch through a PyTorch module."""

    def compute(batch: list[Encoded]) -> Floats:
        with torch.inference_mode():
            return module(*padded(batch)).numpy()

    return compute


class PackedClassifier:
    """Texts in, labels with their probabilities out, by `Packed`.

    Attributes:
        labels: names, in the order of a row of probabilities.
    """

    def __init__(self, checkpoint: Path = SHIPPED, *, threads: int) -> None:
        torch.set_num_threads(threads)
        exact = Classifier.load(checkpoint, device="cpu", dtype="float32")
        network = load_checkpoint(checkpoint).build_network().requires_grad_(False).eval()
        self.labels = exact.labels
        compute = of_module(Packed(network).eval())
        self._probabilities = in_batches(
            exact, lambda batch: exact.probabilities(exact.calibrate(compute(batch), [text.ids for text in batch]))
        )

    def predict(self, texts: Sequence[str]) -> list[dict[str, str | float]]:
        """The best label of each text and its probability."""
        rows_BC = self._probabilities(texts)
        best_B = rows_BC.argmax(1)
        return [
            {"label": self.labels[best], "score": float(row[best])} for row, best in zip(rows_BC, best_B, strict=True)
        ]
