"""The training loop of a classifier: batches in, best weights out.

Shape suffixes: N examples, C labels, T time steps, B batch.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from model.batch import Ids, lengths_of, map_batches, pad
from model.config import Frozen
from model.network import RecurrentClassifier
from training.fit.batches import epoch_batches
from training.fit.layer_rates import layer_rates
from training.fit.objective import CrossEntropy, Loss, MakeObjective, Supervised, balanced_weights
from training.fit.optimizer import RowAdamW, average_into
from training.fit.parallel import ALONE, Processes
from training.fit.steps import Steps

AVERAGE_EVERY = 8
"""Steps between updates of the average, with the decay raised to this power: averaging the whole embedding at every
step costs as much as the step."""

SMALLEST_BATCH = 8
"""Rows below which a batch is not made smaller for the sake of more steps."""


class LoopConfig(Frozen):
    """Settings of the training loop.

    Attributes:
        epochs: at most this many passes; the learning rate reaches its floor at the end of the last.
        batch_tokens: padded tokens of a batch, at most.
        batch_rows: texts of a batch, at most.
        min_steps: of an epoch; a small set gets smaller batches for it, down to `SMALLEST_BATCH` rows.
        learning_rate: peak.
        warmup: share of all steps in which the rate rises.
        weight_decay: of matrices; not of biases or the embedding.
        clip_norm: bound on the gradient's norm.
        average_decay: of the exponential average of the weights, per step; 0 turns it off.
        validations_per_epoch: how often the validation metric is read.
        patience: stop after this many readings without a better one.
        label_smoothing: share of the target spread over all labels (Szegedy et al. 2016, section 7).
        class_weights: `balanced` weights each label by N / (C * count).
        betas: of Adam.
        layer_decay: the rate of each layer as a share of that of the layer above; 1 is one rate for all. For networks
            that begin pre-trained (`start`); see `training.fit.layer_rates`.
    """

    epochs: Annotated[int, Field(ge=1)] = 10
    batch_tokens: Annotated[int, Field(ge=1)] = 4096
    batch_rows: Annotated[int, Field(ge=1)] = 128
    min_steps: Annotated[int, Field(ge=1)] = 150
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    validations_per_epoch: Annotated[int, Field(ge=1)] = 2
    patience: Annotated[int, Field(ge=1)] = 8
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    betas: tuple[float, float] = (0.9, 0.98)
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0


@dataclass(frozen=True)
class Examples:
    """Encoded texts and what they should be.

    Attributes:
        ids: N arrays of token ids.
        targets: int64 [N], or float32 [N, C] in 0..1 for multi-label or soft targets.
    """

    ids: list[Ids]
    targets: npt.NDArray[Any]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text."""
        return lengths_of(self.ids)


Measure = Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], float]
"""From logits [N, C] and targets to a score; higher is better."""


class Place(TypedDict):
    """The arguments of a trainer that say where it computes, and in which number format."""

    device: torch.device
    processes: NotRequired[Processes]
    dtype: NotRequired[torch.dtype | None]


class Trainer(Steps):
    """Fits a network; `run` until it returns True, then `network` holds the best weights.

    Args:
        network: fresh or partly trained; changed in place.
        train, validation: examples; only `train` gives gradients, only `validation` picks the weights.
        config: how.
        measure: the validation score to be maximised.
        seed: of shuffling and dropout.
        device: where; the network is moved there.
        loss: of the labelled texts; if None, the cross-entropy of the targets.
        objective: makes of that loss what is minimised; if nothing else is said, it is the loss itself.
        processes: that train together, each on its share of a batch. With more than one, `objective` must be
            `Supervised`: other terms would be those of the share and not of the batch.
        dtype: number format of the passes over a batch; None is the fastest of the device.
    """

    def __init__(
        self,
        network: RecurrentClassifier,
        train: Examples,
        validation: Examples,
        config: LoopConfig,
        *,
        measure: Measure,
        seed: int,
        device: torch.device,
        loss: Loss | None = None,
        objective: MakeObjective = Supervised,
        processes: Processes = ALONE,
        dtype: torch.dtype | None = None,
    ) -> None:
        optimizer = RowAdamW(
            network.to(device).parameters(),
            betas=config.betas,
            weight_decay=config.weight_decay,
            factors=layer_rates(network, config.layer_decay),
        )
        super().__init__(config, optimizer, device, processes, dtype)
        self.network = network
        self.config = config
        self.train, self.validation = train, validation
        self._train_lengths = train.lengths
        self._measure, self._seed = measure, seed
        self._average = copy.deepcopy(self.network)
        self._best = {name: w.detach().clone() for name, w in self.network.weights().items()}
        loss = loss or _cross_entropy(train.targets, network.head.out_features, config, device)
        self._objective = objective(processes.whole(loss), self._dtype)
        torch.manual_seed(processes.seed(seed))

    def logits(
        self, examples: Examples, network: RecurrentClassifier | None = None, processes: Processes = ALONE
    ) -> npt.NDArray[np.float32]:
        """Logits [N, C] of `examples` in evaluation mode, in their order; computed by `processes` together."""
        network = (network or self.network).eval()

        def compute(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
            padded = pad([examples.ids[i] for i in rows]).to(self._device)
            return network(padded.ids_TB, padded.lengths_B).float().cpu().numpy()  # type: ignore[no-any-return]

        share, width = (processes.rank, processes.count), network.head.out_features
        with torch.inference_mode():
            result = map_batches(compute, examples.lengths, width=width, max_tokens=8192, max_rows=512, share=share)
        processes.summed(torch.from_numpy(result))
        return result

    def _batches(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        config = self.config
        small_set_rows = max(SMALLEST_BATCH, len(self._train_lengths) // config.min_steps)
        return epoch_batches(
            self._train_lengths,
            max_tokens=config.batch_tokens,
            max_rows=min(config.batch_rows, small_set_rows),
            seed=self._seed,
            epoch=epoch,
        )

    def _step(self, rows: npt.NDArray[np.int64]) -> float:
        position, config = self._position, self.config
        self.network.train()
        # A share is as long as its batch: padding is token 0, whose row the optimizer moves wherever there is any.
        longest = int(self._train_lengths[rows].max())
        padded = pad([self.train.ids[i] for i in self.processes.share(rows)], num_steps=longest).to(self._device)
        loss = self._objective(self.network, padded, rows, position.step)
        loss.backward()
        self.processes.sum_gradients(self.network.parameters())
        value = self._descend(self.network.parameters(), config.clip_norm, loss)
        self._count_step(int(self._train_lengths[rows].sum()), value)
        if config.average_decay and position.step % AVERAGE_EVERY == 0:
            # The warm-up of the decay keeps the random start from lingering in the average.
            decay = min(config.average_decay, (1 + position.step) / (10 + position.step))
            average_into(self._average, self.network, decay**AVERAGE_EVERY)
        return value

    def _read_validation(self) -> None:
        position, config = self._position, self.config
        candidate = self._average if config.average_decay else self.network
        score = self._measure(self.logits(self.validation, candidate, self.processes), self.validation.targets)
        self._note_reading(score)
        if position.best is None or score > position.best:
            position.best, position.readings_without_gain = score, 0
            self._best = {name: w.detach().clone() for name, w in candidate.weights().items()}
        else:
            position.readings_without_gain += 1
            position.finished = position.readings_without_gain >= config.patience

    def _restore_best(self) -> None:
        self.network.load_weights(self._best)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for prefix, tensors in (
            ("network", self.network.weights()),
            ("average", self._average.weights()),
            ("best", self._best),
        ):
            for name, tensor in tensors.items():
                yield f"{prefix}.{name}", tensor


def _cross_entropy(
    targets: npt.NDArray[Any], num_labels: int, config: LoopConfig, device: torch.device
) -> CrossEntropy:
    weights_C = balanced_weights(targets, num_labels) if config.class_weights == "balanced" else None
    return CrossEntropy(targets, weights_C=weights_C, label_smoothing=config.label_smoothing, device=device)
