"""Embedder: from texts to sentence vectors, by the layers of a pre-training and a linear map.

A pre-training that imitated several encoders has a map to the vectors of each; they are different spaces, so all texts
that are to be compared go through the same one.

Shape suffixes: B texts of a batch, P pooled states, D width of a vector.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.classifier import Classifier
from model.errors import ConfigError
from model.pretrained import LinearMap, PretrainedEncoder, load_folder
from model.text import Encoded
from model.vectors import Vectors, unit_length

ALL = "all"
"""Name for the vectors of all maps side by side."""

POOLED = "pooled"
"""Name for the pooled states, without a map."""

EMBEDDING: Final = "embedding"


class Embedder:
    """Loaded folder of a pre-training, which gives sentence vectors and no labels.

    Attributes:
        labels: none; so a server can tell it from a classifier.
        task: `embedding`.
        version: first 12 hex digits of the folder's digest.
        max_tokens: longer texts are cut, and marked as truncated.
        metrics: contents of `metrics.json` in the folder.
        device, dtype: where and in which number format it computes.
        pads_vectors: True if each text of a batch costs as much as the longest one.
        vector_size: numbers of a vector.
        maps: names of the encoders whose vectors it imitates, in the order of the numbers; or `pooled`.

    Args:
        folder: as `model.pretrained.load_encoder` reads it.
        vectors: name of an encoder whose vectors it imitates; `all` for those of each, of length 1, side by side;
            `pooled` for the states that the maps read. By default the encoder that most texts were learned with: where
            a pre-training has read two languages, the one that both share. `pooled` where no encoder was imitated.
        device, dtype, threads: as `model.classifier.Classifier.load` takes them.

    Raises:
        ConfigError: there are no such vectors, or the device or the number format is not available.
    """

    labels: tuple[str, ...] = ()
    task = EMBEDDING
    precision_thresholds = ()
    reference = None

    def __init__(
        self,
        folder: PretrainedEncoder,
        *,
        vectors: str | None = None,
        device: str = "auto",
        dtype: str = "float32",
        threads: int | None = None,
    ) -> None:
        self._maps = _chosen(folder, vectors)
        self._network = Classifier(folder.network, device=device, dtype=dtype, threads=threads)
        self.version, self.max_tokens = self._network.version, self._network.max_tokens
        self.metrics: Mapping[str, Any] = folder.network.metrics
        self.device, self.dtype = self._network.device, self._network.dtype
        self.pads_vectors = self._network.pads_vectors
        self.maps = tuple(each.encoder for each in self._maps) or (POOLED,)
        self.vector_size = sum(len(each.bias_D) for each in self._maps) or self._network.vector_size

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenises; safe to call from several threads and never fails on any string."""
        return self._network.encode(texts)

    def vectors(self, batch: Sequence[Encoded]) -> Vectors:
        """Sentence vectors [len(batch), vector_size] of one batch. One thread at a time.

        Of any length (`model.vectors.unit_length`); zeros of a text without tokens.
        """
        pooled_BP = self._network.vectors(batch)
        if not self._maps:
            return pooled_BP
        found = [pooled_BP @ each.weight_DP.T + each.bias_D for each in self._maps]
        vectors_BD = found[0] if len(found) == 1 else np.concatenate([unit_length(each) for each in found], axis=1)
        vectors_BD[[not len(text.ids) for text in batch]] = 0
        return vectors_BD

    def warm_up(self) -> None:
        """Runs batches of several lengths, so that no request pays for a first use."""
        self._network.warm_up()


def load_embedder(
    directory: Path | str,
    *,
    vectors: str | None = None,
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
) -> Embedder | Classifier:
    """Reads a folder that gives sentence vectors: of a pre-training, or a checkpoint, whose are its pooled states.

    Args:
        directory: the folder.
        vectors: see `Embedder`; a checkpoint has no choice.
        device, dtype, threads: as `model.classifier.Classifier.load` takes them.

    Raises:
        CheckpointError: the folder cannot be used; says which file and why.
        ConfigError: there are no such vectors, or the device or the number format is not available.
    """
    found = load_folder(Path(directory))
    if isinstance(found, PretrainedEncoder):
        return Embedder(found, vectors=vectors, device=device, dtype=dtype, threads=threads)
    if vectors is not None:
        cause = f"is a checkpoint of a classifier and has no vectors {vectors!r} to choose; name none"
        raise ConfigError(f"{directory} {cause}")
    return Classifier(found, device=device, dtype=dtype, threads=threads)


def _chosen(folder: PretrainedEncoder, name: str | None) -> tuple[LinearMap, ...]:
    maps = {each.encoder: each for each in folder.maps}
    if name == POOLED or (name is None and not maps):
        return ()
    if name == ALL and maps:
        return folder.maps
    if name is None:
        texts = {each["encoder"]: each["texts"] for each in folder.network.metrics.get("imitated", ())}
        name = max(maps, key=lambda encoder: texts.get(encoder, 0))
    if name not in maps:
        there = ", ".join([*maps, ALL, POOLED] if maps else [POOLED])
        raise ConfigError(f"there are no vectors {name!r}; the folder has {there}")
    return (maps[name],)
