"""The loss of a student, which is trained to give the logits of its teachers.

Shape suffixes: N texts, B batch, C labels.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from model.config import Frozen, Task
from training.data.choices import Allowed
from training.data.variants import AugmentConfig
from training.errors import UsageError
from training.fit.objective import lower_others


class DistillConfig(Frozen):
    """Settings by which a student learns from its teachers; for `distill` only.

    Attributes:
        teachers: folders, or files that `label` wrote, whose texts are added; of several that know a text the mean of
            the logits counts.
        unlabeled: files of further texts, of which only the text column is read.
        label_map: `OURS=TEACHERS` for labels that the teachers call by another name, or that are several of theirs.
        loss: `mse` on logits (Tang et al. 2019, eq. 2) or `kl` between softened probabilities (Hinton et al. 2015,
            section 2, with its factor of the squared temperature).
        temperature: of `kl`.
        hard_share: of the loss of a text that has a label, the share of that label; the rest is the teachers', as is
            all of a text that has none. The source found 0 best where everything is the teacher's to judge; 1 leaves it
            the texts without labels, and no other is shown to it. A text that no teacher knows has its label alone.
        labelled_only: of the texts in files that `label` wrote, those that have no label in the data are left out.
        max_tokens: a Hugging Face teacher reads so many tokens of a text.
        vectors: `teacher` starts from the input embedding of the first teacher if it is a Hugging Face model; or a file
            or folder of vectors; `none` starts at random.
        spread: root mean square of the starting vectors.
        cache: folder that keeps the teachers' logits for further students; if none is given they go with the run.
        augment: variants of the texts.
    """

    teachers: tuple[str, ...] = ()
    unlabeled: tuple[str, ...] = ()
    label_map: tuple[str, ...] = ()
    loss: Literal["mse", "kl"] = "mse"
    temperature: Annotated[float, Field(gt=0)] = 2.0
    hard_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    labelled_only: bool = False
    max_tokens: Annotated[int, Field(ge=3)] = 128
    vectors: str = "teacher"
    spread: Annotated[float, Field(gt=0)] = 0.1
    cache: str | None = None
    augment: AugmentConfig = AugmentConfig()


@dataclass(frozen=True, slots=True)
class ImitationLoss:
    """The loss of the training texts at given rows.

    Attributes:
        teacher_NC: float32 logits to be imitated; zeros for a text that no teacher was asked about.
        truth_NC: float32, the labels of the data as zeros and ones, or their probabilities; all zeros for a text that
            has none.
        share_N: float32, the part of a text's loss that its label has, 0 to 1; the rest is the teachers'.
        allowed_NC: labels among which a text that has a label is judged.
        config: which loss.
        task: softmax or a sigmoid for each label.
        other_labels: weight of the labels among which it is not judged; see `training.fit.objective.lower_others`.
        weights_N: of each text, float32, 1 in the mean of those with a label; None weights all alike.
    """

    teacher_NC: npt.NDArray[np.float32]
    truth_NC: npt.NDArray[np.float32]
    share_N: npt.NDArray[np.float32]
    allowed_NC: Allowed
    config: DistillConfig
    task: Task
    other_labels: float = 0.0
    weights_N: npt.NDArray[np.float32] | None = None

    def __call__(self, logits_BC: Tensor, rows_B: npt.NDArray[np.int64]) -> Tensor:
        """The mean loss of the batch, a scalar."""

        def tensor(array: npt.NDArray[Any]) -> Tensor:
            return torch.from_numpy(array[rows_B]).to(logits_BC.device)

        loss_B = self._imitation(logits_BC, tensor(self.teacher_NC))
        if self.share_N[rows_B].any():
            judged_BC = lower_others(logits_BC, tensor(self.allowed_NC), self.other_labels)
            hard_B = cross_entropy(judged_BC, tensor(self.truth_NC), self.task)
            loss_B = torch.lerp(loss_B, hard_B, tensor(self.share_N))
        return (loss_B if self.weights_N is None else loss_B * tensor(self.weights_N)).mean()

    def _imitation(self, logits_BC: Tensor, teacher_BC: Tensor) -> Tensor:
        """The loss of each text [B] against its teachers."""
        if self.config.loss == "mse":
            return F.mse_loss(logits_BC, teacher_BC, reduction="none").mean(1)
        temperature = self.config.temperature
        return divergence(teacher_BC / temperature, logits_BC / temperature, self.task) * temperature**2


def cross_entropy(logits_BC: Tensor, target_BC: Tensor, task: Task) -> Tensor:
    """Cross-entropy of each text [B] against probabilities.

    Over the labels it is the sum where one label is chosen, and the mean where each label is a decision.
    """
    if task == "multi_label":
        return F.binary_cross_entropy_with_logits(logits_BC, target_BC, reduction="none").mean(1)
    return -(target_BC * torch.log_softmax(logits_BC, dim=1)).sum(1)


def divergence(from_BC: Tensor, to_BC: Tensor, task: Task) -> Tensor:
    """KL divergence of each text [B] from one model's probabilities to another's, both given as logits.

    Over the labels as in `cross_entropy`. It is 0 where the two agree.
    """
    target_BC = probabilities(from_BC, task)
    return cross_entropy(to_BC, target_BC, task) - cross_entropy(from_BC, target_BC, task)


def entropy(logits_BC: Tensor, task: Task) -> Tensor:
    """Entropy of each text's answer [B], in nats; over the labels as in `cross_entropy`."""
    return cross_entropy(logits_BC, probabilities(logits_BC, task), task)


def probabilities(logits_BC: Tensor, task: Task) -> Tensor:
    """Probability of each label [B, C]: softmax over the labels, or a sigmoid each."""
    return torch.sigmoid(logits_BC) if task == "multi_label" else torch.softmax(logits_BC, dim=1)


def parse_label_map(pairs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """From our labels to the teachers' names for them; several for a label that stands in several pairs.

    Raises:
        UsageError: a pair has no `=`, or stands there twice.

    >>> parse_label_map(("positive=4 stars", "positive=5 stars"))
    {'positive': ('4 stars', '5 stars')}
    """
    mapping: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        ours, separator, theirs = (part.strip() for part in pair.partition("="))
        if not separator or not ours or not theirs or theirs in mapping.get(ours, ()):
            raise UsageError(f"--label-map {pair}: write OURS=TEACHERS, each pair once")
        mapping[ours] = (*mapping.get(ours, ()), theirs)
    return mapping
