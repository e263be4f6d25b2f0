"""The classifier that trains and serves: embedding, perhaps a convolution, recurrent layers, pooling, head.

Each layer is two one-directional ones of `model.recurrent`; the second reads every row reversed by its own length, so
padding always comes after the text, no packed sequence is needed and a row's result cannot depend on its neighbours.

Shape suffixes: T time steps, B batch, E embedding, H hidden units of one direction, S = H * directions, C labels,
U distinct token ids of a batch, V vocabulary.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from model.config import Architecture, Frozen
from model.ngrams import NgramBag
from model.recurrent import LAYERS, FusedLstm, Recurrent

Rate = Annotated[float, Field(ge=0, lt=1)]


class Dropouts(Frozen):
    """Probabilities of dropping, in training only.

    Attributes:
        word: a token's whole vector, for every place where that token stands in the batch.
            Source: Gal & Ghahramani 2016, section 4.2; Merity et al. 2018, section 4.3 (embedding dropout).
        token: a token's whole vector, place by place (word dropout; Iyyer et al. 2015, section 3.2).
        embedding: elements of the embedded text, the same ones at each time step (locked dropout; Gal & Ghahramani
        2016).
        between: elements between stacked layers, locked likewise.
        recurrent: elements of the hidden-to-hidden weights (weight-drop; Merity et al. 2018, section 2).
        pooled: elements of the pooled vector in front of the head.
    """

    word: Rate = 0.0
    token: Rate = 0.0
    embedding: Rate = 0.0
    between: Rate = 0.0
    recurrent: Rate = 0.0
    pooled: Rate = 0.0


class _Permute(torch.autograd.Function):
    """Reorders rows by a permutation that is its own inverse, so the gradient is the same gather and not a scatter."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradients[0].index_select(0, order), None


def reverse_order(lengths_B: Tensor, num_steps: int) -> Tensor:
    """Index [T * B] into flattened rows that reverses each text within its length and leaves padding in place."""
    t_T1 = torch.arange(num_steps, device=lengths_B.device).unsqueeze(1)
    source_TB = torch.where(t_T1 < lengths_B, lengths_B - 1 - t_T1, t_T1)
    columns_B = torch.arange(len(lengths_B), device=lengths_B.device)
    return (source_TB * len(lengths_B) + columns_B).flatten()


def reverse(x_TBD: Tensor, order: Tensor) -> Tensor:
    """Reverses each row by its own length, with `order` from `reverse_order`. Its own inverse."""
    reversed_: Tensor = _Permute.apply(x_TBD.reshape(-1, x_TBD.shape[2]), order)  # type: ignore[no-untyped-call]
    return reversed_.view(x_TBD.shape)


def locked_dropout(x_TBD: Tensor, rate: float, training: bool) -> Tensor:
    """Drops the same elements of a row at each time step."""
    if not training or rate == 0.0:
        return x_TBD
    return x_TBD * F.dropout(torch.ones_like(x_TBD[:1]), rate)


class Convolution(nn.Module):
    """A convolution over time in front of the recurrent layers: each token sees its neighbours, ReLU(K * x + b).

    Beyond either end of the text there are zeros, so a text gives the same alone and padded. As wide as the embedding.

    Source: Zhou et al. 2015, "A C-LSTM Neural Network for Text Classification", section 3.1.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size, width))
        self.bias = nn.Parameter(torch.zeros(size))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, x_TBE: Tensor, inside_TB1: Tensor) -> Tensor:
        """Returns [T, B, E]; what it holds in the padding means nothing."""
        x_BET = x_TBE.masked_fill(~inside_TB1, 0.0).permute(1, 2, 0)
        y_BET = F.conv1d(x_BET, self.weight, self.bias, padding=self.weight.shape[2] // 2)
        return F.relu(y_BET).permute(2, 0, 1).contiguous()


class Attention(nn.Module):
    """Weighted mean over time: u_t = tanh(W s_t + b), α = softmax(u · v), sum of α_t s_t.

    Source: Yang et al. 2016, "Hierarchical Attention Networks", eqs. 5 to 7.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, size)
        self.context = nn.Linear(size, 1, bias=False)

    def forward(self, states_TBS: Tensor, inside_TB1: Tensor) -> Tensor:
        """Returns [B, S]; zeros for a row without tokens."""
        scores_TB1 = self.context(torch.tanh(self.project(states_TBS))).masked_fill(~inside_TB1, float("-inf"))
        weights_TB1 = torch.softmax(scores_TB1.float(), dim=0).nan_to_num(0.0).to(states_TBS.dtype)
        return (weights_TB1 * states_TBS.masked_fill(~inside_TB1, 0.0)).sum(0)


def pool_max(states_TBH: Tensor, inside_TB1: Tensor, lengths_B: Tensor) -> Tensor:
    """The largest value over the text, [B, H]."""
    return states_TBH.masked_fill(~inside_TB1, float("-inf")).amax(0).masked_fill((lengths_B == 0).unsqueeze(1), 0.0)


def pool_mean(states_TBH: Tensor, inside_TB1: Tensor, lengths_B: Tensor) -> Tensor:
    """The mean over the text, [B, H]."""
    return states_TBH.masked_fill(~inside_TB1, 0.0).sum(0) / lengths_B.clamp(min=1).unsqueeze(1).to(states_TBH.dtype)


def pool_last(states_TBH: Tensor, inside_TB1: Tensor, lengths_B: Tensor) -> Tensor:
    """The state after the last token in reading direction, [B, H]."""
    last_B = (lengths_B - 1).clamp(min=0)
    states_BH = states_TBH[last_B, torch.arange(len(lengths_B), device=lengths_B.device)]
    return states_BH.masked_fill((lengths_B == 0).unsqueeze(1), 0.0)


POOLS = {
    "max": (pool_max,),
    "mean": (pool_mean,),
    "last": (pool_last,),
    "max_mean_last": (pool_max, pool_mean, pool_last),
}
"""max + mean + last is the concat pooling of Howard & Ruder 2018 (ULMFiT), section 3.3."""


class LstmClassifier(nn.Module):
    """Embedding, recurrent layers (a bidirectional LSTM unless `architecture` says otherwise), pooling, linear head.

    Args:
        architecture: the shape.
        num_labels: C.
        dropouts: what is dropped in training mode; evaluation drops nothing.
    """

    def __init__(
        self,
        architecture: Architecture,
        num_labels: int,
        dropouts: Dropouts | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.dropouts = dropouts or Dropouts()
        self.embedding = nn.Parameter(torch.empty(architecture.vocab_size, architecture.embedding_dim))
        self.layers = nn.ModuleList(
            nn.ModuleList(
                LAYERS[architecture.cell](
                    architecture.embedding_dim if layer == 0 else architecture.state_size,
                    architecture.hidden_size,
                )
                for _ in range(architecture.num_directions)
            )
            for layer in range(architecture.num_layers)
        )
        self.attention = Attention(architecture.state_size) if architecture.pooling == "attention" else None
        self.head = nn.Linear(architecture.pooled_size, num_labels)
        width = architecture.conv_width
        self.convolution = Convolution(architecture.embedding_dim, width) if width else None
        buckets = architecture.ngram_buckets
        self.ngrams = NgramBag(buckets, architecture.ngram_order, num_labels) if buckets else None
        if not self.embedding.is_meta:  # there it would import PyTorch's compiler: two seconds and 60 MB for nothing
            nn.init.normal_(self.embedding, std=0.1)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits [B, C] of padded token ids."""
        logits_BC = self.from_embedded(self.embed(ids_TB), lengths_B)
        if self.ngrams is not None:
            logits_BC = logits_BC + self.ngrams(ids_TB, lengths_B)
        return logits_BC

    def embed(self, ids_TB: Tensor) -> Tensor:
        """Vectors [T, B, E].

        In training each distinct token is looked up once, so that the gradient of the embedding is sparse: U rows and
        not V.
        """
        if not self.training:
            return F.embedding(ids_TB, self.embedding)
        ids_U, places_TB = torch.unique(ids_TB, return_inverse=True)
        rows_UE = F.embedding(ids_U, self.embedding, sparse=True)
        if self.dropouts.word:
            rows_UE = rows_UE * F.dropout(torch.ones_like(rows_UE[:, :1]), self.dropouts.word)
        x_TBE = F.embedding(places_TB, rows_UE)
        if self.dropouts.token:
            x_TBE = x_TBE * F.dropout(torch.ones_like(x_TBE[:, :, :1]), self.dropouts.token)
        return x_TBE

    def from_embedded(self, x_TBE: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits [B, C] of embedded text, without those of the n-grams; what stands in the padding has no effect."""
        pooled = F.dropout(self.encode(x_TBE, lengths_B), self.dropouts.pooled, self.training)
        logits_BC: Tensor = self.head(pooled)
        return logits_BC

    def encode(self, x_TBE: Tensor, lengths_B: Tensor) -> Tensor:
        """The pooled vector [B, pooled_size] of embedded text."""
        num_steps = x_TBE.shape[0]
        order = reverse_order(lengths_B, num_steps)
        inside_TB1 = (torch.arange(num_steps, device=lengths_B.device).unsqueeze(1) < lengths_B).unsqueeze(2)
        x_TBD = locked_dropout(x_TBE, self.dropouts.embedding, self.training)
        if self.convolution is not None:
            x_TBD = self.convolution(x_TBD, inside_TB1)
        states = [x_TBD]  # without layers the text itself is pooled
        for depth in range(self.architecture.num_layers):
            if depth > 0:
                x_TBD = locked_dropout(
                    self._side_by_side(states, order),
                    self.dropouts.between,
                    self.training,
                )
            states = self._run(depth, x_TBD, order)
        return self._pool(states, order, inside_TB1, lengths_B)

    def recurrent(self, layer: int = 0, direction: int = 0) -> Recurrent:
        """One layer (from 0, the lowest) in one direction (0 forward, 1 backward)."""
        directions = self.layers[layer]
        found = directions[direction] if isinstance(directions, nn.ModuleList) else None
        if not isinstance(found, Recurrent):
            raise TypeError(f"not a recurrent layer: {found}")
        return found

    def lstm(self, layer: int = 0, direction: int = 0) -> FusedLstm:
        """As `recurrent`, of a network of LSTMs."""
        found = self.recurrent(layer, direction)
        if not isinstance(found, FusedLstm):
            raise TypeError(f"not an LSTM layer: {found}")
        return found

    def _run(self, layer: int, x_TBD: Tensor, order: Tensor) -> list[Tensor]:
        """States of each direction of a layer, each in the order in which that direction read."""
        inputs = [x_TBD, reverse(x_TBD, order)] if self.architecture.bidirectional else [x_TBD]
        return [self.recurrent(layer, i)(x, weight_drop=self.dropouts.recurrent) for i, x in enumerate(inputs)]

    def _side_by_side(self, states: Sequence[Tensor], order: Tensor) -> Tensor:
        """States [T, B, S] in the order of the text."""
        return states[0] if len(states) == 1 else torch.cat([states[0], reverse(states[1], order)], dim=2)

    def _pool(
        self,
        states: Sequence[Tensor],
        order: Tensor,
        inside_TB1: Tensor,
        lengths_B: Tensor,
    ) -> Tensor:
        if self.attention is not None:
            return self.attention(self._side_by_side(states, order), inside_TB1)  # type: ignore[no-any-return]
        pools = POOLS[self.architecture.pooling]
        return torch.cat(
            [pool(s_TBH, inside_TB1, lengths_B) for pool in pools for s_TBH in states],
            dim=1,
        )
