"""Number formats in which the weights of a pre-training are stored.

Shape suffixes: V tokens, E embedding.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from training.language_model.config import WeightFormat

EMBEDDING = "embedding"
SCALES = "embedding.scales"
LARGEST = 127


def packed(weights: Mapping[str, Tensor], kind: WeightFormat) -> dict[str, Tensor]:
    """The weights as they are stored: `int8` is float16, but for the embedding, which has a scale for each row."""
    if kind == "float32":
        return dict(weights)
    stored = {name: weight.half() for name, weight in weights.items()}
    if kind == "int8":
        embedding_VE = weights[EMBEDDING].float()
        scales_V1 = embedding_VE.abs().amax(1, keepdim=True) / LARGEST
        rounded_VE = torch.round(embedding_VE / scales_V1.clamp(min=1e-12))
        stored |= {EMBEDDING: rounded_VE.to(torch.int8), SCALES: scales_V1.squeeze(1)}
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `packed` in float32."""
    weights = {name: weight.float() for name, weight in stored.items() if name != SCALES}
    if EMBEDDING in weights and SCALES in stored and stored[SCALES].shape == weights[EMBEDDING].shape[:1]:
        weights[EMBEDDING] = weights[EMBEDDING] * stored[SCALES].float().unsqueeze(1)
    elif SCALES in stored:
        weights[SCALES] = stored[SCALES].float()  # belongs to nothing: whoever checks the names refuses it
    return weights
