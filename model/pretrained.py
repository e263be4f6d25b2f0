"""The folder of a pre-training, as far as sentence vectors need it: layers, tokenizer, and maps to vectors.

`training.language_model.folder` writes it and has the rest. PyTorch is not needed to read it.

Shape suffixes: P pooled states, D width of a vector, R rows, C columns.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from model.checkpoint import (
    CONFIG,
    METRICS,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    Weights,
    check_tokenizer,
    check_weights,
    load_checkpoint,
    parse_config,
    parse_tokenizer,
    parse_weights,
)
from model.config import FORMAT_VERSION, CheckpointConfig, EncoderShape, Frozen
from model.errors import CheckpointError
from model.folder import DIGESTS, parse_json, read_folder, version_of
from model.parameters import weight_shapes

KIND: Final = "language_model"
"""Value of `kind` in the folder's `config.json`; a checkpoint has none."""

FILES = (CONFIG, WEIGHTS, TOKENIZER, METRICS)
SUFFIX = ".scales"
"""Of the name of what the rows of a matrix of 8 bits are multiplied by."""

Floats = npt.NDArray[np.float32]


class VectorMap(Frozen):
    """A linear map from pooled states (maximum, mean, last) to the centred sentence vectors of an encoder.

    Its weights are `vectors.I.weight` [width, pooled] and `vectors.I.bias`, I its place among the maps.

    Attributes:
        encoder: whose vectors were imitated.
        width: of a vector.
    """

    encoder: str
    width: Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    """Part of a configuration: what is not named here is of no concern."""

    model_config = ConfigDict(frozen=True)


class ReadTexts(_Part):
    """Settings of the tokenizer.

    Attributes:
        max_tokens: longer texts are cut.
    """

    max_tokens: Annotated[int, Field(ge=1)]


class EncoderConfig(_Part):
    """The part of the folder's `config.json` that gives vectors.

    Attributes:
        kind: tells the folder from a checkpoint.
        vocab_size: V, tokens.
        tokenizer: how much of a text is read.
        architecture: of the layers; its states are pooled in the three ways that the maps were learned with.
        vectors: the maps.
    """

    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    kind: Literal["language_model"]
    vocab_size: Annotated[int, Field(ge=1)]
    tokenizer: ReadTexts
    architecture: EncoderShape
    vectors: tuple[VectorMap, ...] = ()

    def as_checkpoint(self) -> CheckpointConfig:
        """The same network as that of a classifier with one label, whose head has no part in vectors."""
        shape = self.architecture.model_dump() | {"vocab_size": self.vocab_size}
        return CheckpointConfig.model_validate(
            {
                "task": "multi_label",
                "labels": ("none",),
                "max_tokens": self.tokenizer.max_tokens,
                "architecture": shape,
            }
        )


@dataclass(frozen=True, slots=True)
class LinearMap:
    """Map from pooled states to the vectors of an encoder.

    Attributes:
        encoder: its name.
        weight_DP, bias_D: of the map, float32.
    """

    encoder: str
    weight_DP: Floats
    bias_D: Floats


@dataclass(frozen=True, slots=True)
class PretrainedEncoder:
    """Contents of the folder.

    Attributes:
        network: as a checkpoint whose head is zero.
        maps: to sentence vectors, none if no encoder was imitated.
    """

    network: Checkpoint
    maps: tuple[LinearMap, ...]


def is_pretrained(directory: Path) -> bool:
    """True if the folder was written by a pre-training, as far as its configuration can be read."""
    try:
        return parse_json(directory / CONFIG, read_folder(directory, (CONFIG,))[CONFIG]).get("kind") == KIND
    except CheckpointError:
        return False


def load_folder(directory: Path) -> Checkpoint | PretrainedEncoder:
    """Reads and verifies a checkpoint, or else the folder of a pre-training.

    Raises:
        CheckpointError: it is neither, or cannot be used; says why.
    """
    try:
        return load_checkpoint(directory)
    except CheckpointError:  # asked only now: a folder may be exchanged between two looks at it
        if not is_pretrained(directory):
            raise
    return load_encoder(directory)


def read_encoder_config(directory: Path) -> EncoderConfig:
    """Reads and verifies the configuration alone.

    Raises:
        CheckpointError: it cannot be used; says why.
    """
    return parse_config(directory / CONFIG, read_folder(directory, (CONFIG,))[CONFIG], EncoderConfig)


def load_encoder(directory: Path) -> PretrainedEncoder:
    """Reads and verifies a folder; runs nothing that is in it.

    Raises:
        CheckpointMissing: the folder or a file of it is not there.
        CheckpointDamaged: a file does not match its digest or is not what its name says.
        CheckpointIncompatible: the format is newer, or the files contradict each other.
    """
    contents = read_folder(directory, FILES)
    read = parse_config(directory / CONFIG, contents[CONFIG], EncoderConfig)
    config = read.as_checkpoint()
    tokenizer = parse_tokenizer(directory / TOKENIZER, contents[TOKENIZER])
    check_tokenizer(directory / TOKENIZER, tokenizer, read.vocab_size)
    weights: dict[str, npt.NDArray[Any]] = unpacked(parse_weights(directory / WEIGHTS, contents[WEIGHTS]))
    pooled_size = config.architecture.pooled_size
    weights |= {"head.weight": np.zeros((1, pooled_size), np.float32), "head.bias": np.zeros(1, np.float32)}
    shapes = weight_shapes(config.architecture, 1)
    for place, each in enumerate(read.vectors):
        shapes |= {f"vectors.{place}.weight": (each.width, pooled_size), f"vectors.{place}.bias": (each.width,)}
    # The softmax over the vocabulary stays out.
    weights = {name: weight for name, weight in weights.items() if name in shapes}
    check_weights(directory / WEIGHTS, weights, shapes)
    maps = tuple(
        LinearMap(each.encoder, weights.pop(f"vectors.{place}.weight"), weights.pop(f"vectors.{place}.bias"))
        for place, each in enumerate(read.vectors)
    )
    metrics, version = parse_json(directory / METRICS, contents[METRICS]), version_of(contents[DIGESTS])
    return PretrainedEncoder(Checkpoint(config, weights, tokenizer, metrics, "", version), maps)


def unpacked(stored: Weights) -> dict[str, Floats]:
    """The stored weights in float32. Scales that fit nothing stay, for whoever checks the names to refuse.

    >>> unpacked({"a": np.array([[127, -1]], dtype=np.int8), "a.scales": np.array([0.5], dtype=np.float32)})["a"]
    array([[63.5, -0.5]], dtype=float32)
    """
    weights: dict[str, Floats] = {name: weight.astype(np.float32) for name, weight in stored.items()}
    for name in [name for name in weights if name.endswith(SUFFIX)]:
        matrix = weights.get(name.removesuffix(SUFFIX))
        if matrix is not None and weights[name].shape == matrix.shape[:1]:
            weights[name.removesuffix(SUFFIX)] = matrix * weights.pop(name)[:, None]
    return weights
