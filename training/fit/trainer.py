"""The training loop of a classifier: batches in, best weights out.

Shape suffixes: N examples, C labels, T time steps, B batch.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from model.batch import Ids, lengths_of, map_batches
from model.network import RecurrentClassifier
from model.padding import pad
from training.data.choices import Allowed, among
from training.fit.layer_rates import layer_rates
from training.fit.objective import Among, CrossEntropy, Loss, MakeObjective, Rows, Supervised, balanced_weights
from training.fit.optimizer import average_into
from training.fit.parallel import ALONE, Processes
from training.fit.steps import Count, Share, Steps, StepsConfig, copies

AVERAGE_EVERY = 8
"""Steps between updates of the average, with the decay raised to this power: averaging the whole embedding at every
step costs as much as the step."""

EARLY_STEPS = 64
"""Steps up to which the average is updated at each: a run over a few texts has no more, and is read after each step."""

SMALLEST_BATCH = 8
"""Rows below which a batch is not made smaller for the sake of more steps."""

LARGEST_SCALE = 4.0
"""Times as large as on a CPU that the batches of a GPU are at most: it takes longer to start the operations of a step
than to compute them. At 8 SST-2 is learned a little less well (`docs/design/0020-gpu.md`)."""


class LoopConfig(StepsConfig):
    """Settings of the training loop.

    Attributes:
        min_steps: of an epoch; a small set gets smaller batches for it, down to `SMALLEST_BATCH` rows.
        average_decay: of the exponential average of the weights, per step; 0 turns it off.
        patience: stop after this many readings without a better one.
        label_smoothing: share of the target spread over the labels among which a text is judged (Szegedy et al. 2016,
            section 7).
        class_weights: `balanced` weights each label by N / (C * count), where each text counts as much as it weighs.
        other_labels: weight, in the loss of a text of `data.source_column`, of the labels that its set lacks: at 0 a
            set of two labels says nothing of a third, at 1 it says that the third never fits.
        layer_decay: the rate of each layer as a share of that of the layer above; 1 is one rate for all. For networks
            that begin pre-trained (`start`); see `training.fit.layer_rates`.
        batch_scale: batches are so many times as large, and what depends on their size follows (`scaled`). None is 1 on
            a CPU, and on a GPU as much as leaves an epoch `min_steps`, up to `LARGEST_SCALE`.
    """

    min_steps: Count = 150
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    patience: Count = 8
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    other_labels: Share = 0.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    batch_scale: Annotated[float, Field(ge=1)] | None = None

    def scaled(self, scale: float) -> "LoopConfig":
        """The settings with batches `scale` times as large, and as many passes.

        The learning rate grows by the root of the scale; the average forgets as much in an epoch as before.

        Source: Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", section 4 (Adam);
        Busbridge et al. 2023, "How to Scale Your EMA", definition 1.2.

        >>> large = LoopConfig(batch_rows=64, learning_rate=1e-3).scaled(4)
        >>> large.batch_rows, large.learning_rate
        (256, 0.002)
        """
        if scale == 1:
            return self
        return self.model_copy(
            update={
                "batch_tokens": round(self.batch_tokens * scale),
                "batch_rows": round(self.batch_rows * scale),
                "min_steps": max(1, round(self.min_steps / scale)),
                "learning_rate": self.learning_rate * math.sqrt(scale),
                "average_decay": self.average_decay**scale,
            }
        )


@dataclass(frozen=True)
class Examples:
    """Encoded texts and what they should be.

    Attributes:
        ids: N arrays of token ids.
        targets: int64 [N], or float32 [N, C] in 0..1 for multi-label or soft targets.
        allowed: labels [N, C] among which each text is judged; None is all.
        weights: float32 [N], of each text in the loss, 1 in the mean; None is 1 for all.
        exclusive: targets [N, C] are probabilities of labels of which a text has one; else each label is a decision.
    """

    ids: Sequence[Ids]
    targets: npt.NDArray[Any]
    allowed: Allowed | None = None
    weights: npt.NDArray[np.float32] | None = None
    exclusive: bool = False

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text."""
        return lengths_of(self.ids)

    def take(self, places: npt.NDArray[np.int64]) -> "Examples":
        """Takes the texts at these places, in that order."""
        return Examples(
            [self.ids[i] for i in places],
            self.targets[places],
            None if self.allowed is None else self.allowed[places],
            None if self.weights is None else self.weights[places],
            self.exclusive,
        )


Measure = Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], float]
"""From logits [N, C] and targets to a score; higher is better."""


class Place(TypedDict):
    """The arguments of a trainer that say where it computes, and in which number format."""

    device: torch.device
    processes: NotRequired[Processes]
    dtype: NotRequired[torch.dtype | None]


class Material(TypedDict):
    """The arguments of a trainer that are the same in every process."""

    network: RecurrentClassifier
    train: Examples
    validation: Examples
    config: LoopConfig
    measure: Measure
    seed: int
    loss: Loss | None
    keep_last: bool


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
        keep_last: ends with the weights of the last reading and not of the best, so that the validation texts choose
            nothing; there is no early stop.
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
        keep_last: bool = False,
    ) -> None:
        factors = layer_rates(network, config.layer_decay)
        super().__init__(
            network, train.lengths, config, seed=seed, device=device, processes=processes, dtype=dtype, factors=factors
        )
        self.network, self._asked = network, config
        self.train, self.validation = train, validation
        self.keep_last = keep_last
        self._measure, self._given_loss = measure, loss
        self._scale_batches(1.0)
        if config.batch_scale is not None or objective is Supervised:
            self._scale_batches(config.batch_scale or self._automatic_scale())
        self._average = copy.deepcopy(self.network)
        self._best = copies(self.network.weights())
        loss = loss or supervised_loss(train, network.head.out_features, config, device)
        self._objective = objective(processes.whole(loss), self._dtype)
        torch.manual_seed(processes.seed(seed))

    def material(self) -> Material:
        """The arguments from which another process makes the same trainer; whatever its device, they are on the CPU."""
        return {
            "network": copy.deepcopy(self.network).cpu(),
            "train": self.train,
            "validation": self.validation,
            "config": self._asked,
            "measure": self._measure,
            "seed": self._seed,
            "loss": self._given_loss,
            "keep_last": self.keep_last,
        }

    @property
    def batch_scale(self) -> float:
        """Times that the batches are as large as the settings say."""
        return self._position.batch_scale

    def load_state(self, directory: Path) -> None:
        """Takes up what `save_state` wrote, with the batches that it began with, on whatever device; see `Steps`."""
        super().load_state(directory)
        self._scale_batches(self._position.batch_scale)

    def _automatic_scale(self) -> float:
        return automatic_scale(self._device.type, steps=self._steps_per_epoch, min_steps=self.config.min_steps)

    def _scale_batches(self, scale: float) -> None:
        self._position.batch_scale = scale
        self.config = config = self._schedule = self._asked.scaled(scale)
        self._max_rows = min(config.batch_rows, max(SMALLEST_BATCH, len(self.train.ids) // config.min_steps))
        self.__dict__.pop("_steps_per_epoch", None)  # of other batches

    def logits(
        self, examples: Examples, network: RecurrentClassifier | None = None, processes: Processes = ALONE
    ) -> npt.NDArray[np.float32]:
        """Logits [N, C] of `examples` in evaluation mode, in their order; computed by `processes` together.

        Those of labels that a text cannot have are `NEVER`.
        """
        network = (network or self.network).eval()

        def compute(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
            padded = pad([examples.ids[i] for i in rows]).to(self._device)
            return network(padded.ids_TB, padded.lengths_B).float().cpu().numpy()  # type: ignore[no-any-return]

        share, width = (processes.rank, processes.count), network.head.out_features
        with torch.inference_mode():
            result = map_batches(compute, examples.lengths, width=width, max_tokens=8192, max_rows=512, share=share)
        processes.summed(torch.from_numpy(result))
        return among(result, examples.allowed)

    def _loss(self, rows: Rows) -> Tensor:
        self.network.train()
        # A share is as long as its batch: padding is token 0, whose row the optimizer moves wherever there is any.
        longest = int(self._lengths[rows].max())
        padded = pad([self.train.ids[i] for i in self.processes.share(rows)], num_steps=longest).to(self._device)
        return self._objective(self.network, padded, rows, self._position.step)

    def _step(self, rows: Rows) -> float:
        value, step, most = super()._step(rows), self._position.step, self.config.average_decay
        since = 1 if step <= EARLY_STEPS else AVERAGE_EVERY
        if most and step % since == 0:
            # The warm-up of the decay keeps the random start from lingering in the average.
            decay = min(most, (1 + step) / (10 + step))
            average_into(self._average, self.network, decay**since)
        return value

    def _read_validation(self) -> None:
        position, config = self._position, self.config
        candidate = self._average if config.average_decay else self.network
        logits_NC = self.logits(self.validation, candidate, self.processes)
        score = self._measure(logits_NC, self.validation.targets)
        self._note_reading(score)
        if self.keep_last or position.best is None or score > position.best:
            position.best, position.readings_without_gain = score, 0
            self._best = copies(candidate.weights())
        else:
            position.readings_without_gain += 1
            position.finished = position.readings_without_gain >= config.patience

    def _restore_best(self) -> None:
        self.network.load_weights(self._best)

    def _tensors(self) -> dict[str, Mapping[str, Tensor]]:
        return {"network": self.network.weights(), "average": self._average.weights(), "best": self._best}


def automatic_scale(device_type: str, *, steps: int, min_steps: int) -> float:
    """Times as large as the settings say that batches should be on this kind of device.

    >>> [automatic_scale("cuda", steps=steps, min_steps=150) for steps in (150, 300, 9000)]
    [1.0, 2.0, 4.0]
    >>> automatic_scale("cpu", steps=9000, min_steps=150)
    1.0
    """
    return min(LARGEST_SCALE, max(1.0, steps / min_steps)) if device_type == "cuda" else 1.0


def supervised_loss(train: Examples, num_labels: int, config: LoopConfig, device: torch.device) -> Loss:
    """The cross-entropy of the targets, with the weights and the choices of each text."""
    weights_C = None
    if config.class_weights == "balanced":
        weights_C = balanced_weights(train.targets, num_labels, exclusive=train.exclusive, weights_N=train.weights)
    judged_among = None
    if train.allowed is not None and not train.allowed.all():
        judged_among = Among(train.allowed, config.other_labels)
    return CrossEntropy(
        train.targets,
        weights_C=weights_C,
        weights_N=train.weights,
        label_smoothing=config.label_smoothing,
        exclusive=train.exclusive,
        among=judged_among,
        device=device,
    )
