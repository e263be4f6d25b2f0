"""A checkpoint: one folder that a person can read and that nothing in it can run code from.

| file | holds |
| --- | --- |
| `config.json` | `model.config.CheckpointConfig` |
| `model.safetensors` | the weights |
| `tokenizer.json` | the whole text pipeline |
| `metrics.json` | scores, data digests, recipe, seed, versions |
| `README.md` | the model card |
| `SHA256SUMS` | a digest of each; `sha256sum -c SHA256SUMS` checks it too |
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from tokenizers import Tokenizer
from torch import Tensor

from model.config import FORMAT_VERSION, CheckpointConfig
from model.errors import (
    CheckpointDamaged,
    CheckpointError,
    CheckpointIncompatible,
    CheckpointMissing,
)
from model.network import LstmClassifier

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
METRICS = "metrics.json"
CARD = "README.md"
DIGESTS = "SHA256SUMS"
FILES = (CONFIG, WEIGHTS, TOKENIZER, METRICS, CARD)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder says.

    Attributes:
        config: architecture, labels, limits, temperature.
        weights: the network's state, as stored (float32 or float16).
        tokenizer: the text pipeline.
        metrics: free-form report of how it was made and how it scores.
        card: the model card, Markdown.
        version: first 12 hex digits of the digest of the folder; empty before it is saved.
    """

    config: CheckpointConfig
    weights: Mapping[str, Tensor]
    tokenizer: Tokenizer
    metrics: Mapping[str, Any]
    card: str
    version: str = ""

    def build_network(self) -> LstmClassifier:
        """The network with these weights, in float32 and evaluation mode."""
        network = LstmClassifier(self.config.architecture, len(self.config.labels))
        network.load_state_dict({name: tensor.float() for name, tensor in self.weights.items()})
        return network.eval()


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> str:
    """Writes the folder whole or not at all, and returns its version. A checkpoint that stands there is replaced.

    Raises:
        CheckpointError: something that is not a checkpoint stands at `directory`; it is left as it is.
    """
    occupied = directory.exists() and not (directory.is_dir() and not any(directory.iterdir()))
    if occupied and not (directory / DIGESTS).is_file():
        raise CheckpointError(directory, "exists and is not a checkpoint; it is left as it is")
    directory.parent.mkdir(parents=True, exist_ok=True)
    contents = _contents(checkpoint)
    contents[DIGESTS] = "".join(f"{_digest(contents[name])}  {name}\n" for name in FILES).encode()
    partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        partial.chmod(0o755)
        for name, content in contents.items():
            (partial / name).write_bytes(content)
        _put_in_place(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _version(contents[DIGESTS])


def _put_in_place(partial: Path, directory: Path) -> None:
    """Renames `partial` to `directory`; what stood there goes once the new folder is in its place."""
    retired = partial.with_name(f"{partial.name}.old")
    if directory.exists():
        directory.rename(retired)
    partial.rename(directory)
    shutil.rmtree(retired, ignore_errors=True)


def load_checkpoint(directory: Path) -> Checkpoint:
    """Reads and verifies a folder; runs nothing that is in it.

    Raises:
        CheckpointMissing: the folder or a file of it is not there.
        CheckpointDamaged: a file does not match its digest or is not what its name says.
        CheckpointIncompatible: the format is newer, or the files contradict each other.
    """
    contents = _read_verified(directory)
    config = _parse_config(directory / CONFIG, contents[CONFIG])
    tokenizer = _parse_tokenizer(directory / TOKENIZER, contents[TOKENIZER])
    weights = _parse_weights(directory / WEIGHTS, contents[WEIGHTS])
    metrics = _parse_json(directory / METRICS, contents[METRICS])
    _check_agreement(directory, config, tokenizer, weights)
    card = contents[CARD].decode("utf-8", "replace")
    return Checkpoint(config, weights, tokenizer, metrics, card, _version(contents[DIGESTS]))


def _contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    def as_json(value: Any) -> bytes:
        return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()

    return {
        CONFIG: as_json(checkpoint.config.model_dump(mode="json")),
        WEIGHTS: save_tensors(
            {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.weights.items()}
        ),
        TOKENIZER: as_json(json.loads(checkpoint.tokenizer.to_str())),
        METRICS: as_json(checkpoint.metrics),
        CARD: checkpoint.card.encode(),
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _version(digests: bytes) -> str:
    return _digest(digests)[:12]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointMissing(path, "there is no such file; the checkpoint is not complete") from None
    except OSError as error:
        raise CheckpointDamaged(path, f"cannot be read: {error.strerror}") from None


def _read_verified(directory: Path) -> dict[str, bytes]:
    """Every file's bytes, read once and compared with its digest, so that what was checked is what is used."""
    if not directory.is_dir():
        raise CheckpointMissing(directory, "there is no such folder")
    digests = _read(directory / DIGESTS)
    expected = {}
    for line in digests.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        expected[name] = digest
    contents = {DIGESTS: digests}
    for name in FILES:
        if name not in expected:
            raise CheckpointDamaged(directory / DIGESTS, f"has no digest of {name}")
        contents[name] = _read(directory / name)
        if _digest(contents[name]) != expected[name]:
            raise CheckpointDamaged(
                directory / name,
                f"is not the file that was saved: its SHA-256 differs from the one in {DIGESTS}",
            )
    return contents


def _parse_json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise CheckpointDamaged(path, f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointDamaged(path, "is not a JSON object")
    return value


def _parse_config(path: Path, content: bytes) -> CheckpointConfig:
    value = _parse_json(path, content)
    version = value.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise CheckpointIncompatible(
            path,
            f"has format version {version}; this Sluice reads up to {FORMAT_VERSION}, so upgrade it",
        )
    try:
        return CheckpointConfig.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointDamaged(path, f"{where}: {first['msg']}" if where else first["msg"]) from None


def _parse_tokenizer(path: Path, content: bytes) -> Tokenizer:
    try:
        return Tokenizer.from_buffer(content)
    except Exception as error:  # The Rust library raises bare Exception.
        raise CheckpointDamaged(path, f"is not a tokenizer: {error}") from None


def _parse_weights(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return load_tensors(content)
    except SafetensorError as error:
        raise CheckpointDamaged(path, f"is not a safetensors file: {error}") from None


def _check_agreement(
    directory: Path,
    config: CheckpointConfig,
    tokenizer: Tokenizer,
    weights: Mapping[str, Tensor],
) -> None:
    """The files were each saved whole; do they belong to one another?"""
    vocab_size = config.architecture.vocab_size
    if tokenizer.get_vocab_size() != vocab_size:
        cause = f"has {tokenizer.get_vocab_size()} tokens, but {CONFIG} says vocab_size {vocab_size}"
        raise CheckpointIncompatible(directory / TOKENIZER, cause)
    with torch.device("meta"):
        wanted = LstmClassifier(config.architecture, len(config.labels)).state_dict()
    path = directory / WEIGHTS
    if missing := sorted(wanted.keys() - weights.keys()):
        raise CheckpointIncompatible(path, f"lacks {missing[0]}, which {CONFIG} asks for")
    if surplus := sorted(weights.keys() - wanted.keys()):
        raise CheckpointIncompatible(path, f"has {surplus[0]}, which {CONFIG} does not ask for")
    for name, tensor in weights.items():
        if tensor.shape != wanted[name].shape:
            cause = f"{name} has shape {list(tensor.shape)}, but {CONFIG} asks for {list(wanted[name].shape)}"
            raise CheckpointIncompatible(path, cause)
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise CheckpointDamaged(path, f"{name} has values that are not finite numbers")
