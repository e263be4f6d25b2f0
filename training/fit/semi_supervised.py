"""Semi-supervised terms of the loss, on labelled and on unlabelled texts.

Shape suffixes: B batch, C labels, N texts.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from model.batch import Ids, lengths_of
from model.config import Frozen, Task
from model.network import RecurrentClassifier
from model.padding import Batch, pad
from training.fit.adversarial import EmbeddedTexts, adversarial_loss, virtual_adversarial_loss
from training.fit.imitation import entropy
from training.fit.objective import Loss, Rows

POOL = 16
"""A batch without labels is the one of so many that its lengths fall into: its texts are of like length, little is
padded, and every text is as likely."""

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SemiConfig(Frozen):
    """Further terms of the loss; for `train`, `compare` and `tune`. Their weights are 0 by default: off.

    The virtual adversarial term and the entropy are means over all texts of a step, labelled or not, as in Sachan et
    al. 2019, "Revisiting LSTM Networks for Semi-Supervised Text Classification via Mixed Objective Function",
    section 3, who weigh all terms 1, with ε 5 (of 1 to 10) and ξ 0.1. A step then costs several times as much.

    Attributes:
        adversarial: weight of the loss under the perturbation that raises it most; of labelled texts.
        virtual_adversarial: weight of how far a perturbation moves the answer.
        entropy: weight of the entropy of the answers (Grandvalet & Bengio 2004, "Semi-supervised Learning by Entropy
            Minimization").
        epsilon: L2 norm of a perturbation of a whole text, see `training.fit.adversarial`.
        xi: norm of the random perturbation from which the virtual adversarial one is found.
        unlabeled: files of further texts, of which only the text column is read.
        unlabeled_rows: texts without labels in a step; fewer where they are long.
    """

    adversarial: Weight = 0.0
    virtual_adversarial: Weight = 0.0
    entropy: Weight = 0.0
    epsilon: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    xi: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    unlabeled: tuple[str, ...] = ()
    unlabeled_rows: Annotated[int, Field(ge=1)] = 64

    @property
    def is_on(self) -> bool:
        """True if any term has a weight."""
        return bool(self.adversarial or self.virtual_adversarial or self.entropy)

    @model_validator(mode="after")
    def _unlabeled_are_used(self) -> "SemiConfig":
        if self.unlabeled and not (self.virtual_adversarial or self.entropy):
            raise ValueError(
                "unlabelled texts serve semi.virtual_adversarial and semi.entropy alone, and both are 0; set one, "
                "for example --set semi.virtual_adversarial=1"
            )
        return self


class UnlabeledBatches:
    """The batch without labels of each step, a function of seed and step alone: a resumed run gets the same.

    Args:
        ids: N texts, at least one.
        rows: of a batch.
        max_tokens: padded tokens of a batch, at most, of more than one text.
        seed: of the run.
    """

    def __init__(self, ids: Sequence[Ids], *, rows: int, max_tokens: int, seed: int) -> None:
        self._ids, self._rows, self._max_tokens, self._seed = ids, rows, max_tokens, seed
        self._lengths_N = lengths_of(ids)

    def __call__(self, step: int) -> Batch:
        """The batch of a step, on the CPU."""
        chosen = self.choose(step)
        return pad([self._ids[i] for i in chosen])

    def choose(self, step: int) -> Rows:
        """Places of its texts."""
        rng = np.random.default_rng([self._seed, step, POOL])  # three numbers: not the stream that orders an epoch
        pool = rng.choice(len(self._ids), size=min(len(self._ids), POOL * self._rows), replace=False)
        pool = pool[np.argsort(self._lengths_N[pool], kind="stable")]
        parts = np.array_split(pool, max(1, len(pool) // self._rows))
        chosen: Rows = rng.permutation(parts[rng.integers(len(parts))])[: self._rows]
        padded = np.arange(1, len(chosen) + 1) * np.maximum.accumulate(self._lengths_N[chosen])
        return chosen[: max(1, int((padded <= self._max_tokens).sum()))]


class SemiSupervised:
    """The loss of the labelled texts, and the terms of `SemiConfig`; an `Objective`.

    Args:
        loss: of the labelled texts.
        dtype: number format of the passes.
        config: which terms.
        task: softmax or a sigmoid for each label.
        unlabeled: from a step to its batch without labels; None if there are none.
    """

    def __init__(
        self,
        loss: Loss,
        dtype: torch.dtype,
        *,
        config: SemiConfig,
        task: Task,
        unlabeled: Callable[[int], Batch] | None = None,
    ) -> None:
        self._loss, self._dtype, self._config, self._task, self._unlabeled = loss, dtype, config, task, unlabeled

    def __call__(self, network: RecurrentClassifier, batch: Batch, rows: Rows, step: int) -> Tensor:
        """The weighted sum of all terms."""
        config = self._config
        labelled = EmbeddedTexts(network, batch, self._dtype)

        def loss_of(logits_BC: Tensor) -> Tensor:
            return self._loss(logits_BC, rows)

        total = loss_of(labelled.logits_BC)
        if config.adversarial:
            total = total + config.adversarial * adversarial_loss(labelled, loss_of, epsilon=config.epsilon)
        if not (config.virtual_adversarial or config.entropy):
            return total
        parts = [labelled]
        if self._unlabeled is not None:
            unlabelled = self._unlabeled(step).to(batch.ids_TB.device)
            parts.append(EmbeddedTexts(network, unlabelled, self._dtype))
        return total + torch.cat([self._without_labels(part) for part in parts]).mean()

    def _without_labels(self, texts: EmbeddedTexts) -> Tensor:
        """The weighted terms of each text [B] that need no labels."""
        config = self._config
        total_B = torch.zeros_like(texts.logits_BC[:, 0])
        if config.virtual_adversarial:
            moved_B = virtual_adversarial_loss(texts, self._task, epsilon=config.epsilon, xi=config.xi)
            total_B = total_B + config.virtual_adversarial * moved_B
        if config.entropy:
            total_B = total_B + config.entropy * entropy(texts.logits_BC, self._task)
        return total_B
