"""A forward and a backward language model over the embedding and the recurrent layers of one classifier.

Each direction predicts the next token in its own reading order from its own layers; both share the embedding, which is
also the matrix of the softmax. They never see each other's states.

Source: Peters et al. 2018 (ELMo), section 3.1, eq. 1: two directions, one embedding and softmax. Merity et al. 2018
(AWD-LSTM): regularisation. Press & Wolf 2017; Inan et al. 2017: tied weights.

Shape suffixes: T time steps, B batch, E embedding, H hidden units of one direction, N predictions, V vocabulary, K
drawn tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import Architecture
from model.encoder import POOLS, locked_dropout, reverse, reverse_order
from model.network import RecurrentClassifier
from training.language_model.config import LanguageDropouts, LanguageLoop
from training.language_model.softmax import drawing_chances, full_cross_entropy, sampled_cross_entropy


@dataclass(frozen=True, slots=True)
class Reading:
    """The outputs of one direction for a batch, at the N places that have a next token.

    Attributes:
        outputs_NE: what is set against the vectors of the tokens.
        targets_N: the tokens that came next.
        penalty: activation regularisation, weighted; a scalar.
        states_TBH: of the top layer, in the direction's own order, before dropout.
    """

    outputs_NE: Tensor
    targets_N: Tensor
    penalty: Tensor
    states_TBH: Tensor


class LanguageModel(nn.Module):
    """The language models over a `RecurrentClassifier`, whose head has no part in them.

    The bias of the softmax begins at the log of each token's share of the texts, and not at zero: else the first
    hundreds of steps go into learning which tokens are frequent.

    Args:
        architecture: of the classifier; one layer, or one direction.
        dropouts: in training mode only.
        loop: for the regularisation and the number of drawn tokens.
        counts_V: how often each token stands in the texts.
    """

    bias: Tensor
    chances_V: Tensor

    def __init__(
        self, architecture: Architecture, dropouts: LanguageDropouts, loop: LanguageLoop, counts_V: Tensor
    ) -> None:
        super().__init__()
        self.classifier = RecurrentClassifier(architecture, num_labels=1, dropouts=dropouts.of_network())
        self.dropouts, self.loop = dropouts, loop
        same = architecture.hidden_size == architecture.embedding_dim
        self.projections = nn.ModuleList(
            nn.Identity() if same else nn.Linear(architecture.hidden_size, architecture.embedding_dim, bias=False)
            for _ in range(architecture.num_directions)
        )
        smoothed_V = counts_V.double() + 1
        self.bias = nn.Parameter((smoothed_V / smoothed_V.sum()).log().float())
        self.register_buffer("chances_V", drawing_chances(counts_V), persistent=False)

    def forward(self, ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
        """The loss to learn from, a scalar; see `loss`."""
        return self.loss(self.read(ids_TB, lengths_B))

    def loss(self, readings: Sequence[Reading], *, weight: float = 1.0) -> Tensor:
        """The mean cross-entropy of both directions times `weight`, and the regularisation."""
        penalty = torch.stack([reading.penalty for reading in readings]).mean()
        if not weight:
            return penalty
        outputs_NE = torch.cat([reading.outputs_NE for reading in readings])
        targets_N = torch.cat([reading.targets_N for reading in readings])
        return weight * self._cross_entropy(outputs_NE, targets_N).mean() + penalty

    def pooled(self, readings: Sequence[Reading], lengths_B: Tensor) -> Tensor:
        """Maximum, mean and last of the states of each direction [B, P], side by side as a classifier has them."""
        inside_TB1 = _inside(lengths_B, len(readings[0].states_TBH)).unsqueeze(2)
        pools = POOLS["max_mean_last"]
        return torch.cat([pool(each.states_TBH, inside_TB1, lengths_B) for pool in pools for each in readings], dim=1)

    @property
    def pooled_size(self) -> int:
        """Width P of the pooled states."""
        return self.classifier.architecture.model_copy(update={"pooling": "max_mean_last"}).pooled_size

    def read(self, ids_TB: Tensor, lengths_B: Tensor) -> list[Reading]:
        """The outputs of each direction, forward first; of a text of n tokens each predicts n - 1."""
        order = reverse_order(lengths_B, ids_TB.shape[0])
        x_TBE = locked_dropout(self.classifier.embed(ids_TB), self.dropouts.embedding, self.training)
        readings = [self._read(0, x_TBE, ids_TB, lengths_B)]
        if self.classifier.architecture.bidirectional:
            reversed_TB = ids_TB.flatten()[order].view(ids_TB.shape)
            readings.append(self._read(1, reverse(x_TBE, order), reversed_TB, lengths_B))
        return readings

    def losses(self, reading: Reading) -> Tensor:
        """-log p of each target over the whole vocabulary, [N]."""
        return full_cross_entropy(reading.outputs_NE, reading.targets_N, self.classifier.embedding, self.bias)

    def _read(self, direction: int, x_TBE: Tensor, ids_TB: Tensor, lengths_B: Tensor) -> Reading:
        """`x_TBE` and `ids_TB` are in the direction's own order."""
        states_TBH = x_TBE
        for layer in range(self.classifier.architecture.num_layers):
            if layer:
                states_TBH = locked_dropout(states_TBH, self.dropouts.between, self.training)
            recurrent = self.classifier.encoder.recurrent(layer, direction)
            states_TBH = recurrent(states_TBH, weight_drop=self.dropouts.recurrent)
        dropped_TBH = locked_dropout(states_TBH, self.dropouts.output, self.training)
        has_next_TB = _inside(lengths_B - 1, len(ids_TB) - 1)
        outputs_NH = dropped_TBH[:-1][has_next_TB]
        change_NH = (states_TBH[1:] - states_TBH[:-1])[has_next_TB]
        penalty = self.loop.activation * outputs_NH.float().square().mean()
        penalty = penalty + self.loop.temporal * change_NH.float().square().mean()
        return Reading(self.projections[direction](outputs_NH), ids_TB[1:][has_next_TB], penalty, states_TBH)

    def _cross_entropy(self, outputs_NE: Tensor, targets_N: Tensor) -> Tensor:
        embedding_VE = self.classifier.embedding
        if not self.loop.softmax_samples:
            return full_cross_entropy(outputs_NE, targets_N, embedding_VE, self.bias)
        samples_K = torch.multinomial(self.chances_V, self.loop.softmax_samples, replacement=True)
        log_chances_V = self.chances_V.log()
        return sampled_cross_entropy(
            outputs_NE, targets_N, embedding_VE, self.bias, samples_K=samples_K, log_chances_V=log_chances_V
        )

    def stored(self) -> dict[str, Tensor]:
        """The weights under the names that they have in a classifier, and those of the softmax; not the head."""
        of_classifier = {n: w for n, w in self.classifier.weights().items() if not n.startswith("head.")}
        return of_classifier | {n: w for n, w in self.state_dict().items() if not n.startswith("classifier.")}


def _inside(lengths_B: Tensor, num_steps: int) -> Tensor:
    """True [T, B] at the steps of each text."""
    return torch.arange(num_steps, device=lengths_B.device).unsqueeze(1) < lengths_B
