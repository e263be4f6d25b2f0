"""Teachers, whose logits a student imitates: a Hugging Face classifier, a Sluice checkpoint or a file; always local.

Shape suffixes: N texts, C labels of the student, K labels of the teacher.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from model.classifier import Classifier
from model.folder import DIGESTS
from training.errors import UsageError
from training.evaluation.evaluate import logits_of
from training.teachers.hugging_face import Floats, Forward, PreTrainedTokenizer, load_hugging_face, predict, token_ids
from training.teachers.label_file import LabelFile
from training.teachers.pooled import is_pooled, load_pooled


class Teacher(Protocol):
    """A model that can be asked for logits."""

    @property
    def name(self) -> str:
        """Name of the teacher's folder."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the logits."""

    @property
    def digest(self) -> str:
        """Changes when the logits may change."""

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits [N, K] of any number of texts, in their order."""


class SluiceTeacher:
    """A checkpoint of our own."""

    def __init__(self, folder: Path, *, device: str) -> None:
        self._classifier = Classifier.load(folder, device=device)
        self.name = folder.name
        self.labels = self._classifier.labels
        self.digest = self._classifier.version

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits [N, K] before temperature."""
        return logits_of(self._classifier, self._classifier.encode(texts))


class HuggingFaceTeacher:
    """A classifier in a folder of `transformers`: one that `teach` wrote, or any sequence classifier.

    Its matrix products run in bfloat16 where the device has it.

    Args:
        folder: weights, configuration and tokenizer.
        max_tokens: longer texts are cut; special tokens count.
        device: where it runs.

    Raises:
        UsageError: transformers is missing or cannot load the folder.
    """

    def __init__(self, folder: Path, *, max_tokens: int, device: torch.device) -> None:
        self._forward, self._tokenizer, self.labels, self._prefix = _load_classifier(folder, device)
        self._max_tokens, self._device = max_tokens, device
        self.name = folder.name
        self.digest = folder_digest(folder, str(max_tokens))

    def logits(self, texts: Sequence[str]) -> Floats:
        """Computes logits [N, K]."""
        if not texts:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        ids = token_ids(self._tokenizer, texts, max_tokens=self._max_tokens, prefix=self._prefix)
        return predict(self._forward, ids, pad_id=self._tokenizer.pad_token_id, device=self._device)


def _load_classifier(folder: Path, device: torch.device) -> tuple[Forward, PreTrainedTokenizer, tuple[str, ...], str]:
    """The forward pass in evaluation mode, the tokenizer, the labels and the prefix of the texts."""
    if is_pooled(folder):
        pooled, tokenizer = load_pooled(folder)
        return pooled.to(device).eval(), tokenizer, pooled.head.labels, pooled.head.prefix
    model, tokenizer = load_hugging_face(folder, "AutoModelForSequenceClassification", complete=True)
    model.to(device).eval()
    names: Mapping[int, str] = model.config.id2label

    def forward(ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        logits_BK: Tensor = model(input_ids=ids_BT, attention_mask=mask_BT).logits
        return logits_BK

    return forward, tokenizer, tuple(str(names[place]) for place in range(len(names))), ""


def load_teacher(folder: Path, *, max_tokens: int, device: torch.device) -> Teacher:
    """The teacher in `folder`, or in a file of `label`; a checkpoint of our own is told by its list of digests.

    Raises:
        UsageError: there is none that can be loaded.
    """
    if folder.is_file():
        return LabelFile(folder)
    if is_checkpoint(folder):
        return SluiceTeacher(folder, device=str(device))
    return HuggingFaceTeacher(folder, max_tokens=max_tokens, device=device)


def is_checkpoint(folder: Path) -> bool:
    """Tells whether the folder is a checkpoint of our own."""
    return (folder / DIGESTS).is_file()


def columns_for(teacher: Teacher, labels: Sequence[str], mapping: Mapping[str, Sequence[str]]) -> list[list[int]]:
    """The teacher's logits that belong to each of `labels`: the one of its name, case aside, or as `mapping` says.

    Args:
        teacher: whose logits.
        labels: of the student.
        mapping: from labels of the student to names for them. Names that this teacher lacks are ignored: they are
            those of other teachers.

    Raises:
        UsageError: a label has no counterpart, or two have the same.
    """
    places = {name.lower(): place for place, name in enumerate(teacher.labels)}
    wanted = [[name for name in mapping.get(label, (label,)) if name.lower() in places] for label in labels]
    if not all(wanted):
        label = labels[wanted.index([])]
        raise UsageError(
            f"teacher {teacher.name} has no label '{mapping.get(label, (label,))[0]}'; it has "
            f"{', '.join(teacher.labels)}. Say which one is meant: --label-map OURS=TEACHERS"
        )
    columns = [[places[name.lower()] for name in names] for names in wanted]
    chosen = [column for group in columns for column in group]
    if len(set(chosen)) < len(chosen):
        twice = next(column for column in chosen if chosen.count(column) > 1)
        raise UsageError(
            f"label '{teacher.labels[twice]}' of teacher {teacher.name} is mapped twice; --label-map may give it to "
            "one of our labels only"
        )
    return columns


def check_mapping(teachers: Sequence[Teacher], mapping: Mapping[str, Sequence[str]]) -> None:
    """Checks that each name in `mapping` is that of a label which one of the teachers has.

    Raises:
        UsageError: none has it, which a misspelt name would otherwise pass for.
    """
    known = {name.lower() for teacher in teachers for name in teacher.labels}
    unknown = [name for names in mapping.values() for name in names if name.lower() not in known]
    if unknown:
        there = ", ".join(sorted(known))
        raise UsageError(f"--label-map …={unknown[0]}: no teacher has that label; there are {there}")


def student_logits(logits_NK: Floats, columns: Sequence[Sequence[int]]) -> Floats:
    """Logits [N, C] of the student's labels, from the teacher's [N, K].

    That of several labels is the logarithm of the sum of their exponentials: after a softmax, the sum of their
    probabilities, given that it is one of those that are mapped.

    >>> student_logits(np.log([[1, 2, 3]]), [[0], [1, 2]]).round(3).tolist()
    [[0.0, 1.609]]
    """
    return np.stack([np.logaddexp.reduce(logits_NK[:, group], axis=1) for group in columns], axis=1)


def folder_digest(folder: Path, *settings: str) -> str:
    """SHA-256 of a folder of `transformers` and of the settings by which it is read."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".json"))
    return digest_of([*(setting.encode() for setting in settings), *(path.read_bytes() for path in files)])


def digest_of(parts: Iterable[bytes]) -> str:
    """SHA-256 of the parts, each told from its neighbours by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
