"""Drift reference of a checkpoint: a profile of its answers to texts like its training texts.

A server compares the answers that it gives with the reference (metric `sluice_drift`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.checkpoint import load_checkpoint, replace_metrics
from model.classifier import Classifier
from model.profile import Reference, ReferenceFile
from training.data.corpus import DataFile
from training.data.files import shown_path
from training.data.unlabeled import read_unlabeled
from training.provenance import file_digest


def reference_of(
    classifier: Classifier,
    texts: Sequence[str],
    probabilities_NC: npt.NDArray[np.float32],
    files: Sequence[ReferenceFile],
) -> Reference:
    """Makes the reference from a classifier's answers."""
    return Reference.of(classifier.profile(classifier.encode(texts), probabilities_NC), classifier.labels, files)


def source(file: DataFile) -> ReferenceFile:
    """Names a file of a run as a reference does."""
    return ReferenceFile(file=file.file, sha256=file.sha256, texts=file.rows)


def add_reference(
    directory: Path, files: Sequence[Path], *, text_column: str | None, data_root: Path, device: str
) -> tuple[Reference, str]:
    """Writes the reference made from the texts of `files` into a checkpoint, in place of an older one.

    Only `metrics.json` and its line in `SHA256SUMS` change, and with that line the version, which stands for the whole
    folder. Use texts that are like the training texts but were not trained on.

    Returns:
        The reference and the new version.

    Raises:
        CheckpointError: the folder cannot be used.
        TableError: a file cannot be read, or has no texts.
    """
    checkpoint = load_checkpoint(directory)
    classifier = Classifier(checkpoint, device=device)
    texts_of = {path: read_unlabeled(path, text_column=text_column) for path in files}
    sources = [
        ReferenceFile(file=shown_path(path, data_root), sha256=file_digest(path), texts=len(texts))
        for path, texts in texts_of.items()
    ]
    texts = [text for texts in texts_of.values() for text in texts]
    reference = reference_of(classifier, texts, classifier.predict(texts), sources)
    metrics = {**checkpoint.metrics, "reference": reference.model_dump(mode="json")}
    return reference, replace_metrics(directory, metrics)
