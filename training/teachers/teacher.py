"""Teachers: models whose logits a student imitates. A Hugging Face classifier or a Sluice checkpoint, always local.

Shape suffixes: N texts, B batch, T time steps, C labels of the student, K labels of the teacher.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.batch import lengths_of, map_batches
from model.classifier import Classifier
from model.folder import DIGESTS
from training.errors import UsageError
from training.evaluation.evaluate import logits_of

Floats = npt.NDArray[np.float32]

PreTrained = Any
"""A model of `transformers`; untyped here, for the package is an extra."""

PreTrainedTokenizer = Any
"""Its tokenizer."""

BATCH_TOKENS = 4096
BATCH_ROWS = 128


class Teacher(Protocol):
    """What is asked of a teacher."""

    @property
    def name(self) -> str:
        """Its folder's name."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its labels, in the order of its logits."""

    @property
    def digest(self) -> str:
        """Changes when its answers may change."""

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
    """A sequence-classification folder of `transformers`.

    Args:
        folder: weights, configuration and tokenizer.
        max_tokens: longer texts are cut; special tokens count.
        device: where it runs.

    Raises:
        UsageError: transformers is missing or cannot load the folder.
    """

    def __init__(self, folder: Path, *, max_tokens: int, device: torch.device) -> None:
        self._model, self._tokenizer = load_hugging_face(folder, "AutoModelForSequenceClassification", complete=True)
        self._model.to(device)
        self._max_tokens = max_tokens
        self.name = folder.name
        names: Mapping[int, str] = self._model.config.id2label
        self.labels = tuple(str(names[place]) for place in range(len(names)))
        weights = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".json"))
        self.digest = digest_of([str(max_tokens).encode(), *(path.read_bytes() for path in weights)])

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits [N, K]."""
        return predict(self._model, self._tokenizer, token_ids(self._tokenizer, texts, max_tokens=self._max_tokens))


def load_teacher(folder: Path, *, max_tokens: int, device: torch.device) -> Teacher:
    """The teacher in `folder`; a checkpoint of our own is told by its list of digests.

    Raises:
        UsageError: there is none that can be loaded.
    """
    if is_checkpoint(folder):
        return SluiceTeacher(folder, device=str(device))
    return HuggingFaceTeacher(folder, max_tokens=max_tokens, device=device)


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder is a checkpoint of our own."""
    return (folder / DIGESTS).is_file()


def columns_for(teacher: Teacher, labels: Sequence[str], mapping: Mapping[str, Sequence[str]]) -> list[list[int]]:
    """Which of the teacher's logits belong to each of `labels`: the one of its name, case aside, or as `mapping` says.

    Args:
        teacher: whose logits.
        labels: of the student.
        mapping: from labels of the student to names for them. Those that this teacher has count: beside it may stand
            others, with other names.

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
        raise UsageError(f"one label of teacher {teacher.name} is mapped twice")
    return columns


def check_mapping(teachers: Sequence[Teacher], mapping: Mapping[str, Sequence[str]]) -> None:
    """Each name in `mapping` is that of a label which one of the teachers has.

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


def import_transformers() -> Any:
    """The package that runs a Hugging Face model.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise UsageError(
            "a Hugging Face model needs the package transformers, which the extra `distill` installs"
        ) from error
    return transformers


def load_hugging_face(
    folder: Path, kind: str, *, complete: bool = False, **options: Any
) -> tuple[PreTrained, PreTrainedTokenizer]:
    """The model of class `kind` in `folder`, and its tokenizer. Nothing is fetched and no code in the folder is run.

    Args:
        folder: what `transformers` saved.
        kind: name of one of its `Auto…` classes.
        complete: refuse a folder that lacks some of the weights, which would be random.
        options: for `from_pretrained`.

    Raises:
        UsageError: transformers is missing or cannot load the folder.
    """
    transformers = import_transformers()
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder}: not a model's folder; there is no config.json")
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    try:
        model, loading = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, output_loading_info=True, **options
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise UsageError(f"{folder}: transformers cannot load it: {error}") from error
    if complete and loading["missing_keys"]:
        lacking = ", ".join(sorted(loading["missing_keys"]))
        raise UsageError(f"{folder}: no classifier, or not a whole one; there are no weights for {lacking}")
    return model, tokenizer


def token_ids(tokenizer: PreTrainedTokenizer, texts: Sequence[str], *, max_tokens: int) -> list[list[int]]:
    """Ids of each text with the special tokens of the model, cut to `max_tokens`."""
    ids: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
    return ids


def forward(model: PreTrained, tokenizer: PreTrainedTokenizer, ids: Sequence[list[int]]) -> Tensor:
    """Logits [B, K] of texts given as ids, padded here."""
    padded = tokenizer.pad({"input_ids": list(ids)}, return_tensors="pt").to(model.device)
    logits_BK: Tensor = model(**padded).logits
    return logits_BK.float()


def predict(model: PreTrained, tokenizer: PreTrainedTokenizer, ids: Sequence[list[int]]) -> Floats:
    """Logits [N, K] of texts given as ids, in evaluation mode, in their order."""
    model.eval()
    with torch.inference_mode():
        return map_batches(
            lambda rows: forward(model, tokenizer, [ids[i] for i in rows]).cpu().numpy(),
            lengths_of(ids),
            width=model.config.num_labels,
            max_tokens=BATCH_TOKENS,
            max_rows=BATCH_ROWS,
        )


def digest_of(parts: Iterable[bytes]) -> str:
    """SHA-256 of the parts, each told from its neighbours by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
