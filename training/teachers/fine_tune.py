"""Fine-tunes a Hugging Face encoder into a classifier: a teacher for `distill`. It is never served.

Shape suffixes: N texts, B batch, C labels.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import Field
from rich.console import Console
from torch import Tensor

from model.config import Frozen
from model.folder import place_of
from tables.labels import Names
from training.config.config import build, parse_settings
from training.data.choices import allowed_labels, with_choices
from training.data.dataset import Dataset, encode_labels, label_names, refuse_unknown
from training.errors import DivergedError, UsageError
from training.fit.batches import epoch_batches
from training.fit.progress import LINE_EVERY_S, format_duration
from training.teachers.hugging_face import autocast, padded, predict, token_ids
from training.teachers.pooled import Head, PooledClassifier, start_pooled


class TeachConfig(Frozen):
    """Settings of a fine-tuning.

    Source: Devlin et al. 2019 (BERT), appendix A.3: 2 to 4 epochs, 2e-5 to 5e-5, linear decay.

    Attributes:
        epochs: passes over the training texts.
        learning_rate: peak.
        warmup: share of all steps in which the rate rises.
        weight_decay: of matrices only.
        batch_rows: texts of a batch, at most.
        batch_tokens: padded tokens of a batch, at most.
        max_tokens: longer texts are cut.
        clip_norm: bound on the gradient's norm.
        validations_per_epoch: how often the validation accuracy is read.
        freeze_embedding: leave the input vectors as they are, which saves time and memory; most of e5's weights are
            there.
        prefix: put before each text, with a space; e5 wants `query:`.
        layers: hidden states whose means the head reads side by side; none for the last alone.
        seed: of the order, the new head and dropout.
    """

    epochs: Annotated[int, Field(ge=1)] = 2
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.06
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    batch_rows: Annotated[int, Field(ge=1)] = 64
    batch_tokens: Annotated[int, Field(ge=1)] = 1024
    max_tokens: Annotated[int, Field(ge=1)] = 128
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    validations_per_epoch: Annotated[int, Field(ge=1)] = 4
    freeze_embedding: bool = False
    prefix: str = ""
    layers: tuple[int, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def parse_teach_config(settings: Iterable[str]) -> TeachConfig:
    """The configuration of `key=value` settings.

    Raises:
        UsageError: a key is unknown or a value does not fit.
    """
    return build(TeachConfig, parse_settings(settings), listed_by="teach --help")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the fine-tuning.

    Attributes:
        step, total_steps: steps done, and steps of the whole run.
        seconds: since the first step began.
        mean_loss: exponential mean over about 50 steps; on the device, so that a step does not wait for it.
        accuracies: on each validation set, where they were read after this step.
    """

    step: int
    total_steps: int
    seconds: float
    mean_loss: Tensor
    accuracies: Mapping[str, float] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """The mean loss as a number."""
        return float(self.mean_loss)

    @property
    def accuracy(self) -> float | None:
        """Mean of the accuracies; None where none was read."""
        return sum(self.accuracies.values()) / len(self.accuracies) if self.accuracies else None


def fine_tune(
    encoder: Path,
    train: Sequence[Dataset],
    validation: Sequence[Dataset],
    output: Path,
    config: TeachConfig,
    *,
    device: torch.device,
    report: Callable[[Step], None] = lambda _: None,
) -> float:
    """Writes the weights of the best validation reading to `output`, a folder that `load_teacher` reads.

    `output` holds the best so far at any time after the first reading. Each data set is a choice among the labels that
    it has (`training.data.choices`): a set of two labels says nothing about a third. Both loss and accuracy are of that
    choice.

    Args:
        encoder: folder of `transformers`, or of an earlier fine-tuning, whose head is kept if labels and layers agree.
        train: single-label sets; their labels together are the teacher's.
        validation: single-label sets; the best weights are those of the highest mean of their accuracies.
        output: a new folder.
        config: settings.
        device: where it runs, in bfloat16 where that is native.
        report: called after each step.

    Returns:
        The best mean validation accuracy.

    Raises:
        UsageError: the encoder cannot be loaded, or `output` is in the way.
        CheckpointError: no folder can be put in the place of `output`.
        DataError: a label is unusable.
        DivergedError: a logit of a validation text is not finite; `output` holds the best reading before.
    """
    place = place_of(output)
    if output.exists() and any(output.iterdir()):
        raise UsageError(f"{output} exists; choose another --output")
    torch.manual_seed(config.seed)
    tuning = _FineTuning(encoder, train, validation, config, device)
    best = -1.0
    for step in tuning.run():
        if step.accuracy is not None and step.accuracy > best:
            best = step.accuracy
            tuning.model.save(place, tuning.tokenizer)
        report(step)
    return best


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """The texts of several sets as one.

    Attributes:
        ids: token ids of N texts.
        targets_N: int64, place of each text's label.
        allowed_NC: labels that each text's set has.
    """

    ids: list[list[int]]
    targets_N: npt.NDArray[np.int64]
    allowed_NC: npt.NDArray[np.bool_]


def joined_labels(datasets: Sequence[Dataset]) -> Names:
    """The labels of all sets, in a stable order.

    Raises:
        UsageError: a set is multi-label.
        DataError: there is only one label.
    """
    check_single_label(datasets)
    first, *others = datasets
    return label_names(replace(first, labels=[*first.labels, *(names for other in others for names in other.labels)]))


def check_validation(validation: Sequence[Dataset], labels: Names) -> None:
    """Refuses texts by which a teacher of these labels cannot be chosen.

    Raises:
        UsageError: a set is multi-label.
        DataError: a row has a label that is not among `labels`.
    """
    check_single_label(validation)
    for dataset in validation:
        refuse_unknown(
            dataset, labels, "correct these labels, delete these rows, or add a --train file that has the label"
        )


def check_single_label(datasets: Sequence[Dataset]) -> None:
    """Refuses sets whose texts have several labels.

    Raises:
        UsageError: names the first one.
    """
    for dataset in datasets:
        if dataset.task != "single_label":
            raise UsageError(f"{dataset.path}: has lists of labels; a teacher is fine-tuned on one label a text")


class _FineTuning:
    """The model being fine-tuned, its optimizer and its texts."""

    def __init__(
        self,
        encoder: Path,
        train: Sequence[Dataset],
        validation: Sequence[Dataset],
        config: TeachConfig,
        device: torch.device,
    ) -> None:
        self.config, self.device = config, device
        labels = joined_labels(train)
        check_validation(validation, labels)
        self.model, self.tokenizer = start_pooled(
            encoder, Head(labels=labels, prefix=config.prefix, layers=config.layers)
        )
        self.model.to(device)
        if config.freeze_embedding:
            self.model.encoder.get_input_embeddings().requires_grad_(False)
        self.optimizer = _optimizer(self.model, config)
        self.train = self.tokenized(train, labels)
        texts = [self.tokenized([dataset], labels) for dataset in validation]
        self.validation = dict(zip(_names(validation), texts, strict=True))
        self.lengths_N = np.array([len(ids) for ids in self.train.ids], dtype=np.int64)

    def tokenized(self, datasets: Sequence[Dataset], labels: Names) -> LabelledTexts:
        """The texts of `datasets`, one after another."""
        texts = [text for dataset in datasets for text in dataset.texts]
        ids = token_ids(self.tokenizer, texts, max_tokens=self.config.max_tokens, prefix=self.config.prefix)
        targets = np.concatenate([encode_labels(dataset, labels).astype(np.int64) for dataset in datasets])
        sets = (dataset if dataset.choices else with_choices(dataset) for dataset in datasets)
        allowed = [allowed_labels(dataset, labels) for dataset in sets]
        return LabelledTexts(ids, targets, np.concatenate(allowed))

    def run(self) -> Iterator[Step]:
        """Takes every step, the validation accuracy read at even distances."""
        config, began, done = self.config, time.perf_counter(), 0
        mean_loss = torch.zeros((), device=self.device)
        total = len(self.batches(0)) * config.epochs
        for epoch in range(config.epochs):
            batches = self.batches(epoch)
            readings = np.linspace(0, len(batches), config.validations_per_epoch + 1)[1:].round().astype(int)
            for place, rows in enumerate(batches, 1):
                loss = self.step(rows, config.learning_rate * linear_schedule(done, config.warmup, total))
                done += 1
                mean_loss = torch.lerp(mean_loss, loss, max(0.02, 1 / done))
                accuracies = self.accuracies() if place in readings else {}
                yield Step(done, total, time.perf_counter() - began, mean_loss, accuracies)

    def step(self, rows_B: npt.NDArray[np.int64], learning_rate: float) -> Tensor:
        """Takes one step on the training texts at `rows_B`; returns their loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.model.train()
        ids = padded([self.train.ids[row] for row in rows_B], self.tokenizer.pad_token_id, self.device)
        with autocast(self.device):
            logits_BC = self.model(*ids)
        allowed_BC = torch.from_numpy(self.train.allowed_NC[rows_B]).to(self.device)
        targets_B = torch.from_numpy(self.train.targets_N[rows_B]).to(self.device)
        loss = F.cross_entropy(logits_BC.float().masked_fill(~allowed_BC, -torch.inf), targets_B)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def accuracies(self) -> dict[str, float]:
        """Accuracy on each validation set, as things stand.

        Raises:
            DivergedError: a logit is not finite.
        """
        self.model.eval()
        found = {}
        for name, texts in self.validation.items():
            logits_NC = predict(self.model, texts.ids, pad_id=self.tokenizer.pad_token_id, device=self.device)
            if not np.isfinite(logits_NC).all():
                raise DivergedError(
                    f"the logits of {name} are not finite. Most often the learning rate is too high: its peak is "
                    f"{self.config.learning_rate:.3g}, try a third of it"
                )
            chosen_N = np.where(texts.allowed_NC, logits_NC, -np.inf).argmax(1)
            found[name] = float((chosen_N == texts.targets_N).mean())
        return found

    def batches(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Rows of each batch of an epoch."""
        config = self.config
        return epoch_batches(
            self.lengths_N, max_tokens=config.batch_tokens, max_rows=config.batch_rows, seed=config.seed, epoch=epoch
        )


def _names(datasets: Sequence[Dataset]) -> list[str]:
    """The folder and name of each file, as public sets are told apart by their folders; its path where that is not so.

    A file that stands there twice has one name.
    """
    paths = [dataset.path.resolve() for dataset in datasets]
    short = {path: f"{path.parent.name}/{path.stem}" for path in paths}
    shared = Counter(short.values())
    return [short[path] if shared[short[path]] == 1 else str(path) for path in paths]


class StepLines:
    """Prints a line every `LINE_EVERY_S` seconds and at each reading."""

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, 0.0

    def __call__(self, step: Step) -> None:
        """Shows the progress of a step."""
        if step.accuracy is None and step.seconds - self._last < LINE_EVERY_S:
            return
        self._last = step.seconds
        left = format_duration(step.seconds / step.step * max(0, step.total_steps - step.step))
        reading = "" if step.accuracy is None else f"  validation accuracy {step.accuracy:.4f}"
        if len(step.accuracies) > 1:
            reading += f" ({', '.join(f'{name} {value:.4f}' for name, value in step.accuracies.items())})"
        self._console.print(
            f"step {step.step:,}/{step.total_steps:,}  loss {step.loss:.4f}  {left} left{reading}",
            highlight=False,
            soft_wrap=True,
        )


def linear_schedule(step: int, warmup: float, total: int) -> float:
    """Factor of the learning rate: up to 1 over the share `warmup` of the steps, then down to 0 in a straight line.

    >>> [round(linear_schedule(step, 0.2, 10), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.12]
    """
    warmup_steps = max(1, round(warmup * total))
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return max(0.0, (total - step) / max(1, total - warmup_steps))


def _optimizer(model: PooledClassifier, config: TeachConfig) -> torch.optim.AdamW:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
