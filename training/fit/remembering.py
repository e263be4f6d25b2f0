"""The loss of texts that a trained network learns from while it keeps what it knew.

Shape suffixes: N texts, B batch, C labels, K labels that the network had.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from model.config import Task
from tables.labels import Names
from training.data.choices import NEVER
from training.fit.objective import Loss, Rows

Floats = npt.NDArray[np.float32]

MEMORY = 0.05
"""Weight of the old answers: on two sets 0.03 to 0.1 are alike, and at 1 new labels are learned badly."""

LEAST = 0.01
"""Share by which an old label is represented at least. At 0 new texts would not have to tell new labels from old ones,
and a single new label would have nothing to learn; at 1 the old labels are lost."""


@dataclass(frozen=True, slots=True)
class Remembering:
    """A loss of the labels, and of moving away from the answers that the network gave before.

    The network is its own teacher on the new texts for the labels that it had: Li & Hoiem 2016, "Learning without
    Forgetting", section 3. Its logits are imitated, as Buzzega et al. 2020, "Dark Experience for General Continual
    Learning", equation 6, has it: they say also how high an old label stands on a text that has none of them.

    Attributes:
        loss: of the labels.
        before_NK: logits of each training text before the first step.
        places_K: of these labels among all.
        lift_C: added to the logits in `loss`; see `lift_of`.
    """

    loss: Loss
    before_NK: Floats
    places_K: npt.NDArray[np.int64]
    lift_C: Floats

    def __call__(self, logits_BC: Tensor, rows: Rows) -> Tensor:
        """The mean loss of the batch, a scalar."""
        lift_C = torch.from_numpy(self.lift_C).to(logits_BC.device)
        lifted_BC = torch.where(lift_C > NEVER, logits_BC + lift_C, NEVER)
        before_BK = torch.from_numpy(self.before_NK[rows]).to(logits_BC.device)
        kept_BK = logits_BC[:, torch.from_numpy(self.places_K).to(logits_BC.device)]
        return self.loss(lifted_BC, rows) + MEMORY * F.mse_loss(kept_BK, before_BK)


def lift_of(counts_C: npt.NDArray[np.floating], labels: Names, had: Mapping[str, int], task: Task) -> Floats:
    """Logarithm [C] of how well the texts represent each old label, at least `LEAST`; 0 is fully.

    Where few texts have an old label, the loss counts on as few: Menon et al. 2021, "Long-tail Learning via Logit
    Adjustment", section 5. Without that, new texts teach that old labels hardly occur. A label is represented fully by
    as many texts as a new label has in the mean, or as it had before.

    Args:
        counts_C: texts of each label, each as many as it weighs; of soft labels their mass.
        labels: names.
        had: texts of each old label that the network had learned from; 0 if it is not known.
        task: of labels that are a decision each, those that some text has are represented fully, and the others get
            `NEVER`: no text says anything of them.
    """
    if task == "multi_label":
        return np.where(counts_C > 0, 0.0, NEVER).astype(np.float32)
    new_C = np.array([label not in had for label in labels])
    mean = float(counts_C[new_C].mean()) if new_C.any() else 0.0
    enough_C = np.array([min(mean, had.get(label) or mean) for label in labels])
    share_C = np.where(counts_C < enough_C, counts_C / np.maximum(enough_C, 1e-9), counts_C > 0)
    return np.where(new_C, 0.0, np.log(np.maximum(share_C, LEAST))).astype(np.float32)
