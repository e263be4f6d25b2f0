"""Number formats in which the weights of a pre-training are stored; `model.pretrained.unpacked` reads them.

Shape suffixes: R rows, C columns.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from model.pretrained import SUFFIX
from training.language_model.config import WeightFormat

LARGEST = 127


def packed(weights: Mapping[str, Tensor], kind: WeightFormat) -> dict[str, Tensor]:
    """The weights as they are stored: `int8` is float16, but for large matrices, which have a scale for each row."""
    if kind == "float32":
        return dict(weights)
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if kind == "int8" and in_8_bits(name):
            stored[name], stored[name + SUFFIX] = rounded(weight.float())
        else:
            stored[name] = weight.half()
    return stored


def in_8_bits(name: str) -> bool:
    """The embedding and the maps to sentence vectors are nearly all of the folder.

    >>> in_8_bits("embedding"), in_8_bits("vectors.0.weight"), in_8_bits("layers.0.0.bias")
    (True, True, False)
    """
    return name == "embedding" or (name.startswith("vectors.") and name.endswith(".weight"))


def rounded(weight_RC: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers from -127 to 127 [R, C], and what each row of them is multiplied by [R]."""
    scales_R1 = weight_RC.abs().amax(1, keepdim=True) / LARGEST
    return torch.round(weight_RC / scales_R1.clamp(min=1e-12)).to(torch.int8), scales_R1.squeeze(1)
