"""Probabilities from logits: one softmax or sigmoid for serving, evaluation and explanations, in NumPy.

What has to be differentiated is in PyTorch: `training.fit.imitation`.

Shape suffixes: N texts, C labels.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from model.config import Task

Floats = TypeVar("Floats", bound=npt.NDArray[np.floating[Any]])


def probabilities(logits_NC: Floats, *, task: Task, temperature: float = 1.0) -> Floats:
    """Softmax over the last axis, or a sigmoid of each logit for multi-label, of logits over the temperature.

    Any number of axes; the result has the shape and number format of the logits. No logit is too large.

    >>> probabilities(np.array([[0.0, 0.0], [1000.0, 0.0]]), task="single_label").tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    >>> probabilities(np.array([[0.0, -1000.0, 1000.0]]), task="multi_label").tolist()
    [[0.5, 0.0, 1.0]]
    """
    z_NC: Any = logits_NC / logits_NC.dtype.type(temperature)
    if task == "multi_label":
        with np.errstate(over="ignore"):  # one over infinity is the zero that is meant
            return 1 / (1 + np.exp(-z_NC))  # type: ignore[no-any-return]
    e_NC = np.exp(z_NC - z_NC.max(axis=-1, keepdims=True))
    return e_NC / e_NC.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]
