"""Fine-tunes a Hugging Face encoder into a classifier: a teacher for `distill`. It is never served.

Shape suffixes: N texts, B batch, C labels.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import Field, ValidationError
from rich.console import Console

from model.config import Frozen
from training.config.config import parse_settings
from training.data.dataset import Dataset, encode_labels, label_names
from training.errors import UsageError
from training.fit.batches import epoch_batches
from training.fit.progress import LINE_EVERY_S, format_duration
from training.teachers.teacher import PreTrained, PreTrainedTokenizer, forward, load_hugging_face, predict, token_ids


class TeachConfig(Frozen):
    """How an encoder is fine-tuned.

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
        freeze_embedding: leave the input vectors as they are, which saves a tenth of the time.
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
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def parse_teach_config(settings: Iterable[str]) -> TeachConfig:
    """The configuration of `key=value` settings.

    Raises:
        UsageError: a key is unknown or a value does not fit.
    """
    try:
        return TeachConfig.model_validate(parse_settings(settings))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UsageError("; ".join(faults)) from None


@dataclass(frozen=True, slots=True)
class Step:
    """Where the fine-tuning stands; `accuracy` is that of validation, where it was read after this step."""

    step: int
    total_steps: int
    loss: float
    seconds: float
    accuracy: float | None = None


def fine_tune(
    encoder: Path,
    train: Sequence[Dataset],
    validation: Dataset,
    output: Path,
    config: TeachConfig,
    *,
    device: torch.device,
    report: Callable[[Step], None] = lambda _: None,
) -> float:
    """Writes the weights of the best validation reading to `output`, a folder that `transformers` loads.

    `output` holds the best so far at any time after the first reading.

    Returns:
        The best validation accuracy.

    Raises:
        UsageError: the encoder cannot be loaded, or `output` is in the way.
        DataError: a label is unusable.
    """
    if output.exists() and any(output.iterdir()):
        raise UsageError(f"{output} exists; choose another --output")
    texts = joined(train)
    labels = label_names(texts)
    torch.manual_seed(config.seed)
    tuning = _FineTuning(encoder, labels, texts, validation, config, device)
    best = -1.0
    for step in tuning.run():
        if step.accuracy is not None and step.accuracy > best:
            best = step.accuracy
            tuning.save(output)
        report(step)
    return best


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """All texts as one set; a text that stands in several counts several times.

    Raises:
        UsageError: there is a multi-label set among them.
    """
    if any(dataset.task != "single_label" for dataset in datasets):
        raise UsageError("a teacher can be fine-tuned on single-label data only")
    return replace(
        datasets[0],
        texts=[text for dataset in datasets for text in dataset.texts],
        labels=[names for dataset in datasets for names in dataset.labels],
        rows=[row for dataset in datasets for row in dataset.rows],
    )


class _FineTuning:
    """The model being fine-tuned, and what it is fine-tuned on."""

    def __init__(
        self,
        encoder: Path,
        labels: Sequence[str],
        train: Dataset,
        validation: Dataset,
        config: TeachConfig,
        device: torch.device,
    ) -> None:
        self.config = config
        self.model, self.tokenizer = load_encoder(encoder, labels)
        self.model.to(device)
        if config.freeze_embedding:
            self.model.get_input_embeddings().requires_grad_(False)
        self.optimizer = _optimizer(self.model, config)
        self.train_ids = token_ids(self.tokenizer, train.texts, max_tokens=config.max_tokens)
        self.train_targets = torch.from_numpy(encode_labels(train, labels)).to(device)
        self.validation_ids = token_ids(self.tokenizer, validation.texts, max_tokens=config.max_tokens)
        self.validation_targets = encode_labels(validation, labels)
        self.lengths_N = np.array([len(ids) for ids in self.train_ids], dtype=np.int64)

    def run(self) -> Iterator[Step]:
        """Takes every step, the validation accuracy read at even distances."""
        config, began, done, losses = self.config, time.perf_counter(), 0, [0.0]
        total = len(self.batches(0)) * config.epochs
        for epoch in range(config.epochs):
            batches = self.batches(epoch)
            readings = np.linspace(0, len(batches), config.validations_per_epoch + 1)[1:].round().astype(int)
            for place, rows in enumerate(batches, 1):
                losses.append(self.step(rows, config.learning_rate * linear_schedule(done, config.warmup, total)))
                done += 1
                accuracy = self.accuracy() if place in readings else None
                yield Step(done, total, float(np.mean(losses[-100:])), time.perf_counter() - began, accuracy)

    def step(self, rows: npt.NDArray[np.int64], learning_rate: float) -> float:
        """One update from the training texts at `rows`; returns their loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.model.train()
        logits_BC = forward(self.model, self.tokenizer, [self.train_ids[i] for i in rows])
        loss = F.cross_entropy(logits_BC, self.train_targets[torch.from_numpy(rows)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def accuracy(self) -> float:
        """On validation, as things stand."""
        logits_NC = predict(self.model, self.tokenizer, self.validation_ids)
        return float((logits_NC.argmax(1) == self.validation_targets).mean())

    def batches(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Rows of each batch of an epoch."""
        config = self.config
        return epoch_batches(
            self.lengths_N, max_tokens=config.batch_tokens, max_rows=config.batch_rows, seed=config.seed, epoch=epoch
        )

    def save(self, output: Path) -> None:
        """Writes weights, configuration and tokenizer."""
        self.model.save_pretrained(output)
        self.tokenizer.save_pretrained(output)


class StepLines:
    """A line every `LINE_EVERY_S` seconds and at each reading."""

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, 0.0

    def __call__(self, step: Step) -> None:
        """Shows a step."""
        if step.accuracy is None and step.seconds - self._last < LINE_EVERY_S:
            return
        self._last = step.seconds
        left = format_duration(step.seconds / step.step * max(0, step.total_steps - step.step))
        reading = "" if step.accuracy is None else f"  validation accuracy {step.accuracy:.4f}"
        self._console.print(
            f"step {step.step:,}/{step.total_steps:,}  loss {step.loss:.4f}  {left} left{reading}", highlight=False
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


def load_encoder(folder: Path, labels: Sequence[str]) -> tuple[PreTrained, PreTrainedTokenizer]:
    """The encoder with a new head for `labels`; a head of the same size that stands in the folder is kept.

    Raises:
        UsageError: see `load_hugging_face`.
    """
    return load_hugging_face(
        folder,
        "AutoModelForSequenceClassification",
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={name: place for place, name in enumerate(labels)},
        ignore_mismatched_sizes=True,
    )


def _optimizer(model: PreTrained, config: TeachConfig) -> torch.optim.AdamW:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
