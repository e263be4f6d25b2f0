"""Checkpoints: one folder that people can read, and from which no code is run.

| file | holds |
| --- | --- |
| `config.json` | `model.config.CheckpointConfig` |
| `model.safetensors` | the weights |
| `tokenizer.json` | the whole text pipeline |
| `metrics.json` | scores, data digests, recipe, seed, versions |
| `README.md` | the model card |
| `SHA256SUMS` | a digest of each; `sha256sum -c SHA256SUMS` checks it too |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from tokenizers import Tokenizer

from model.config import FORMAT_VERSION, CheckpointConfig
from model.errors import CheckpointDamaged, CheckpointIncompatible
from model.folder import DIGESTS, as_json, parse_json, read_folder, version_of, write_folder
from model.parameters import Shape, weight_shapes
from model.profile import Reference, reference_in

if TYPE_CHECKING:
    from model.network import RecurrentClassifier

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
METRICS = "metrics.json"
CARD = "README.md"
FILES = (CONFIG, WEIGHTS, TOKENIZER, METRICS, CARD)

Config = TypeVar("Config", bound=BaseModel)

Weights = Mapping[str, npt.NDArray[Any]]
"""Arrays by the names that files give them."""


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint folder.

    Attributes:
        config: architecture, labels, limits, temperature.
        weights: the network's state, as stored (float32 or float16).
        tokenizer: the text pipeline.
        metrics: free-form report of how it was made and how it scores.
        card: the model card, Markdown.
        version: first 12 hex digits of the folder's digest; empty before it is saved.
    """

    config: CheckpointConfig
    weights: Weights
    tokenizer: Tokenizer
    metrics: Mapping[str, Any]
    card: str
    version: str = ""

    @property
    def reference(self) -> Reference | None:
        """Profile of its answers to held-out texts, if `metrics` holds one."""
        return reference_in(self.metrics)

    def build_network(self) -> "RecurrentClassifier":
        """Builds the network with these weights, in float32 and evaluation mode."""
        import torch  # here, so that a server whose engine computes does without

        from model.network import RecurrentClassifier

        with torch.device("meta"):  # initial weights would be drawn for nothing
            network = RecurrentClassifier(self.config.architecture, len(self.config.labels))
        weights = {name: torch.tensor(weight).float() for name, weight in self.weights.items()}
        network.load_weights(weights, assign=True)
        return network.eval()


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> str:
    """Writes the folder whole or not at all, in place of an older checkpoint; returns its version.

    Raises:
        CheckpointError: `directory` exists and is not a checkpoint; it is left as it is.
    """
    return write_folder(directory, _contents(checkpoint))


def load_checkpoint(directory: Path) -> Checkpoint:
    """Reads and verifies a folder; runs nothing that is in it.

    Raises:
        CheckpointMissing: the folder or a file of it is not there.
        CheckpointDamaged: a file does not match its digest or is not what its name says.
        CheckpointIncompatible: the format is newer, or the files contradict each other.
    """
    contents = read_folder(directory, FILES)
    config = parse_config(directory / CONFIG, contents[CONFIG], CheckpointConfig)
    tokenizer = parse_tokenizer(directory / TOKENIZER, contents[TOKENIZER])
    weights = parse_weights(directory / WEIGHTS, contents[WEIGHTS])
    metrics = parse_json(directory / METRICS, contents[METRICS])
    check_reference(directory / METRICS, metrics, config.labels)
    check_tokenizer(directory / TOKENIZER, tokenizer, config.architecture.vocab_size)
    check_weights(directory / WEIGHTS, weights, weight_shapes(config.architecture, len(config.labels)))
    card = contents[CARD].decode("utf-8", "replace")
    return Checkpoint(config, weights, tokenizer, metrics, card, version_of(contents[DIGESTS]))


def read_config(directory: Path) -> CheckpointConfig:
    """Reads and verifies the configuration alone.

    Raises:
        CheckpointError: it cannot be used; says why.
    """
    return parse_config(directory / CONFIG, read_folder(directory, (CONFIG,))[CONFIG], CheckpointConfig)


def replace_metrics(directory: Path, metrics: Mapping[str, Any]) -> str:
    """Writes another `metrics.json` into a folder, whose other files stay byte for byte; returns the new version.

    Raises:
        CheckpointError: the folder is not whole.
    """
    return _replace(directory, {METRICS: as_json(metrics)})


def replace_card(directory: Path, card: str) -> str:
    """Writes another `README.md` into a folder, whose other files stay byte for byte; returns the new version.

    Raises:
        CheckpointError: the folder is not whole.
    """
    return _replace(directory, {CARD: card.encode()})


def replace_config(directory: Path, config: CheckpointConfig, card: str) -> str:
    """Writes another `config.json`, of the same network, and the card about it; returns the new version.

    The other files stay byte for byte.

    Raises:
        CheckpointError: the folder is not whole.
    """
    return _replace(directory, {CONFIG: as_json(config.model_dump(mode="json")), CARD: card.encode()})


def _replace(directory: Path, replaced: Mapping[str, bytes]) -> str:
    contents = read_folder(directory, FILES)
    return write_folder(directory, {name: replaced.get(name, contents[name]) for name in FILES})


def _contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    metrics, card = as_json(checkpoint.metrics), checkpoint.card.encode()
    model = model_contents(checkpoint.config, checkpoint.weights, checkpoint.tokenizer)
    return {**model, METRICS: metrics, CARD: card}


def model_contents(config: BaseModel, weights: Weights, tokenizer: Tokenizer) -> dict[str, bytes]:
    """The files of a model itself, by name: `CONFIG`, `WEIGHTS` and `TOKENIZER`."""
    return {
        CONFIG: as_json(config.model_dump(mode="json")),
        WEIGHTS: save_arrays({name: np.ascontiguousarray(weight) for name, weight in weights.items()}),
        TOKENIZER: tokenizer.to_str().encode(),
    }


def parse_config(path: Path, content: bytes, kind: type[Config]) -> Config:
    """Parses the configuration that was read from `path`.

    Raises:
        CheckpointDamaged: it is not a configuration of this kind.
        CheckpointIncompatible: its format is newer, or it is of a pre-training where a checkpoint is wanted.
    """
    value = parse_json(path, content)
    version = value.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise CheckpointIncompatible(
            path,
            f"has format version {version}; this Sluice reads up to {FORMAT_VERSION}, so upgrade it",
        )
    if "kind" in value and "kind" not in kind.model_fields:
        raise CheckpointIncompatible(
            path,
            f"is of kind {value['kind']}, from pretrain: it has no labels to give; `python -m training embed` writes "
            "its sentence vectors, and `train --start` makes a classifier of it",
        )
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise CheckpointDamaged(path, _first_fault(error)) from None


def parse_tokenizer(path: Path, content: bytes) -> Tokenizer:
    """Parses the tokenizer that was read from `path`.

    Raises:
        CheckpointDamaged: it is not a tokenizer.
    """
    try:
        return Tokenizer.from_buffer(content)
    except Exception as error:  # The Rust library raises bare Exception.
        raise CheckpointDamaged(path, f"is not a tokenizer: {error}") from None


def parse_weights(path: Path, content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Parses the arrays that were read from `path`.

    Raises:
        CheckpointDamaged: it is not a safetensors file.
    """
    try:
        return load_arrays(content)
    except (SafetensorError, KeyError) as error:  # the latter for a number format that NumPy does not have
        raise CheckpointDamaged(path, f"is not a safetensors file: {error}") from None


def check_reference(path: Path, metrics: Mapping[str, Any], labels: Sequence[str]) -> None:
    """Refuses a reference that is malformed or belongs to another model.

    Raises:
        CheckpointDamaged, CheckpointIncompatible: says why.
    """
    try:
        reference = reference_in(metrics)
    except ValidationError as error:
        raise CheckpointDamaged(path, _first_fault(error, "reference")) from None
    if reference is not None and sorted(reference.labels) != sorted(labels):
        raise CheckpointIncompatible(path, f"reference: has other labels than {CONFIG}")


def check_tokenizer(path: Path, tokenizer: Tokenizer, vocab_size: int) -> None:
    """Refuses a tokenizer that does not belong to these weights, or whose ids could lie outside of the embedding.

    Raises:
        CheckpointIncompatible: it has another number of tokens, numbers them otherwise, pads or truncates.
    """
    if tokenizer.get_vocab_size() != vocab_size:
        cause = f"has {tokenizer.get_vocab_size()} tokens, but {CONFIG} says vocab_size {vocab_size}"
        raise CheckpointIncompatible(path, cause)
    if None in map(tokenizer.id_to_token, range(vocab_size)):
        raise CheckpointIncompatible(path, f"does not number its tokens 0 to {vocab_size - 1}, each once")
    for option in ("padding", "truncation"):
        if getattr(tokenizer, option) is not None:
            raise CheckpointIncompatible(path, f"has {option} of its own, which changes the tokens: set it to null")


def check_weights(path: Path, weights: Weights, wanted: Mapping[str, Shape]) -> None:
    """Refuses weights with other names or shapes than `wanted`, or with values that are not finite.

    Raises:
        CheckpointIncompatible, CheckpointDamaged: says which and why.
    """
    if missing := sorted(wanted.keys() - weights.keys()):
        raise CheckpointIncompatible(path, f"lacks {missing[0]}, which {CONFIG} asks for")
    if surplus := sorted(weights.keys() - wanted.keys()):
        raise CheckpointIncompatible(path, f"has {surplus[0]}, which {CONFIG} does not ask for")
    for name, weight in weights.items():
        if weight.shape != wanted[name]:
            cause = f"{name} has shape {list(weight.shape)}, but {CONFIG} asks for {list(wanted[name])}"
            raise CheckpointIncompatible(path, cause)
        if weight.dtype.kind != "f" or not bool(np.isfinite(weight).all()):
            raise CheckpointDamaged(path, f"{name} has values that are not finite numbers")


def _first_fault(error: ValidationError, *parents: str) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join((*parents, *(str(part) for part in first["loc"])))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
