"""Encoder of time steps into one vector: an optional convolution, recurrent layers, pooling.

The steps are vectors of any kind: embedded tokens in `model.network`, measurements in `examples/`.

Each layer is two one-directional ones of `model.recurrent`; the second reads every row reversed by its own length, so
padding always comes after the text, no packed sequence is needed and a row's result cannot depend on its neighbours.

Shape suffixes: T time steps, B batch, E width of a time step, H hidden units of one direction, S = H * directions.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from model.cell import RecurrentCell
from model.config import EncoderShape, Frozen
from model.recurrent import LAYERS, FusedLstm

Rate = Annotated[float, Field(ge=0, lt=1)]


class Dropouts(Frozen):
    """Dropout rates, for training mode only.

    Attributes:
        word: the whole vector of a token, at all its places in the batch alike.
            Source: Gal & Ghahramani 2016, section 4.2; Merity et al. 2018, section 4.3 (embedding dropout).
        token: the whole vector of a token, at each place by itself (word dropout; Iyyer et al. 2015, section 3.2).
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
    """Reorders rows by a permutation that is its own inverse: the gradient is the same gather and not a scatter."""

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
    """Convolution over time in front of the recurrent layers: each token sees its neighbours, ReLU(K * x + b).

    Beyond either end of the text there are zeros, so a text gives the same alone and padded. As wide as the embedding.

    Source: Zhou et al. 2015, "A C-LSTM Neural Network for Text Classification", section 3.1.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size, width))
        self.bias = nn.Parameter(torch.zeros(size))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, x_TBE: Tensor, inside_TB1: Tensor) -> Tensor:
        """Returns [T, B, E]; values in the padding have no meaning."""
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
"""Poolings without weights of their own, by name; the results of several stand side by side.

Each takes the states [T, B, H] of one direction, in the order in which that direction read; a mask [T, B, 1], true
inside the text; and the lengths [B]. It gives [B, H]: padding has no effect, and a text without tokens gets zeros.

max + mean + last is the concat pooling of Howard & Ruder 2018 (ULMFiT), section 3.3.
"""


class Encoder(nn.Module):
    """Recurrent layers (a bidirectional LSTM unless `shape` says otherwise) over time steps, and pooling.

    Args:
        shape: widths, layers and what they are made of.
        dropouts: rates; `embedding`, `between` and `recurrent` act here, in training mode.
    """

    def __init__(self, shape: EncoderShape, dropouts: Dropouts | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.dropouts = dropouts or Dropouts()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                LAYERS[shape.cell](shape.embedding_dim if layer == 0 else shape.state_size, shape.hidden_size)
                for _ in range(shape.num_directions)
            )
            for layer in range(shape.num_layers)
        )
        self.attention = Attention(shape.state_size) if shape.pooling == "attention" else None
        self.convolution = Convolution(shape.embedding_dim, shape.conv_width) if shape.conv_width else None

    def forward(self, x_TBE: Tensor, lengths_B: Tensor) -> Tensor:
        """The pooled vector [B, pooled_size] of rows of `lengths_B` steps; values in the padding have no effect."""
        num_steps = x_TBE.shape[0]
        order = reverse_order(lengths_B, num_steps)
        inside_TB1 = (torch.arange(num_steps, device=lengths_B.device).unsqueeze(1) < lengths_B).unsqueeze(2)
        x_TBD = locked_dropout(x_TBE, self.dropouts.embedding, self.training)
        if self.convolution is not None:
            x_TBD = self.convolution(x_TBD, inside_TB1)
        states = [x_TBD]  # without layers the text itself is pooled
        for depth in range(self.shape.num_layers):
            if depth > 0:
                x_TBD = locked_dropout(
                    self._side_by_side(states, order),
                    self.dropouts.between,
                    self.training,
                )
            states = self._run(depth, x_TBD, order)
        return self._pool(states, order, inside_TB1, lengths_B)

    def recurrent(self, layer: int = 0, direction: int = 0) -> RecurrentCell:
        """One layer (from 0, the lowest) in one direction (0 forward, 1 backward)."""
        directions = self.layers[layer]
        found = directions[direction] if isinstance(directions, nn.ModuleList) else None
        if not isinstance(found, RecurrentCell):
            raise TypeError(f"not a recurrent layer: {found}")
        return found

    def lstm(self, layer: int = 0, direction: int = 0) -> FusedLstm:
        """The same as `recurrent`, for an encoder of LSTMs."""
        found = self.recurrent(layer, direction)
        if not isinstance(found, FusedLstm):
            raise TypeError(f"not an LSTM layer: {found}")
        return found

    def _run(self, layer: int, x_TBD: Tensor, order: Tensor) -> list[Tensor]:
        """States of each direction of a layer, each in the order in which that direction read."""
        inputs = [x_TBD, reverse(x_TBD, order)] if self.shape.bidirectional else [x_TBD]
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
        pools = POOLS[self.shape.pooling]
        return torch.cat(
            [pool(s_TBH, inside_TB1, lengths_B) for pool in pools for s_TBH in states],
            dim=1,
        )
