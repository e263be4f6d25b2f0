"""Builds a report about a finished checkpoint, and writes it beside the checkpoint.

The figures are measured anew on the checkpoint as loaded from disk, so that a report can be made of any checkpoint and
any labelled file at any time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from torch import get_num_threads

from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from model.files import replace
from training.artifacts.record import Record
from training.data.dataset import Dataset, list_some
from training.evaluation.evaluate import Result, evaluate
from training.metrics.decisions import decide
from training.metrics.scores import Metric
from training.provenance import origin
from training.reporting.baseline import compare_with_baseline, too_much, unlearned
from training.reporting.doubts import find_label_errors
from training.reporting.figures import held_out_figures
from training.reporting.page import write_page
from training.reporting.report import Baseline, HeldOut, LabelErrors, Report
from training.reporting.slices import slice_all
from training.reporting.speed import measure_speed

Results = Mapping[str, tuple[Dataset, Result]]
"""Each held-out file by role, and what the checkpoint says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that a report is made from.

    Attributes:
        checkpoint: its folder.
        held_out: labelled texts that it was not trained on, by role; at least one file.
        shown: roles whose wrong answers may be listed with their texts.
        train: the training texts; None leaves out logistic regression and doubtful labels.
        stopping: the texts that picked the weights, and pick the C of the regression; needed with `train`.
        slice_columns: columns of the held-out files, for slices.
        held_out_NC: logits of the validation texts by networks that had not seen the text, where these are the
            training texts, held out by folds; else None.
        metric: that picked the weights.
        seed: of samples and folds.
        device: as of `--device`.
        warnings: what was left out of these texts or is doubtful in them, where the record of the run does not say it.
    """

    checkpoint: Path
    held_out: Mapping[str, Dataset]
    shown: frozenset[str]
    train: Dataset | None = None
    stopping: Dataset | None = None
    slice_columns: tuple[str, ...] = ()
    held_out_NC: npt.NDArray[np.float32] | None = None
    metric: Metric = "accuracy"
    seed: int = 0
    device: str = "auto"
    warnings: tuple[str, ...] = ()

    def by_folds(self, dataset: Dataset) -> bool:
        """True if the held-out texts are the training texts, held out by folds."""
        return self.train is not None and dataset.rows is self.train.rows


def report_paths(checkpoint: Path, about: str = "") -> tuple[Path, Path]:
    """The page and the JSON file of a checkpoint: `NAME.report.html` and `NAME.report.json`, beside its folder.

    A report `about` another file than those of the training has its name between, so that both are kept.

    Not inside: the folder is what is published and served, and holds no text of the data.
    """
    name = ".".join([checkpoint.resolve().name, *([about] if about else [])])
    return checkpoint.with_name(f"{name}.report.html"), checkpoint.with_name(f"{name}.report.json")


def write_report(material: Material, page: Path, json_file: Path) -> Report:
    """Builds the report and writes it as a page and as JSON, each in place of an older one.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        DataError: a label is unknown to the checkpoint.
        MissingColumnError: a held-out file lacks a column of `slice_columns`.
        OSError: a file cannot be written.
    """
    report = build_report(material)
    replace(json_file, report.model_dump_json(indent=2) + "\n")
    replace(page, write_page(report, json_name=json_file.name))
    return report


def build_report(material: Material) -> Report:
    """Measures everything; see `write_report` for errors."""
    checkpoint = load_checkpoint(material.checkpoint)
    classifier = Classifier(checkpoint, device=material.device)
    results = {
        role: (dataset, evaluate(classifier, dataset, material.held_out_NC if material.by_folds(dataset) else None))
        for role, dataset in material.held_out.items()
    }
    record, left_out = _record(classifier), dict[str, str]()
    texts = [text for dataset in material.held_out.values() for text in dataset.texts]
    history = () if record is None else tuple(record.effort.history)
    if len(history) < 2:
        left_out["learning"] = "The checkpoint records fewer than two readings"
    return Report(
        name=material.checkpoint.resolve().name,
        version=classifier.version,
        task=classifier.task,
        created=origin()["created"],
        command="" if record is None else record.command,
        serve=f"python -m app serve --model {material.checkpoint.resolve().name}={material.checkpoint}",
        num_labels=len(classifier.labels),
        trained_on=0 if record is None else record.data["train"].rows if "train" in record.data else 0,
        warnings=(*(() if record is None else record.warnings), *material.warnings),
        history=history,
        metric=material.metric,
        best_epoch=None if record is None or record.config.get("data.folds") else record.effort.best_epoch,
        held_out=tuple(_held_out(material, role, *found, classifier) for role, found in results.items()),
        baseline=_baseline(material, classifier, results, left_out),
        label_errors=_label_errors(material, classifier, results, left_out),
        speed=measure_speed(
            classifier,
            texts,
            material.checkpoint,
            threads=get_num_threads(),
            num_parameters=sum(weight.size for weight in checkpoint.weights.values()),
        ),
        left_out=left_out,
    )


def _record(classifier: Classifier) -> Record | None:
    """The record of the training; None of a checkpoint that has none, or one of an older form."""
    try:
        return Record.model_validate(classifier.metrics)
    except ValidationError:
        return None


def _held_out(material: Material, role: str, dataset: Dataset, result: Result, classifier: Classifier) -> HeldOut:
    chosen_NC = decide(result.probabilities_NC, task=classifier.task, thresholds_C=classifier.thresholds)
    right_N = (chosen_NC == result.truth_NC).all(axis=1)
    slices = slice_all(dataset, classifier.encode(dataset.texts), right_N, material.slice_columns)
    show = role in material.shown
    return held_out_figures(
        role, dataset, result, classifier, slices, show_texts=show, by_folds=material.by_folds(dataset)
    )


def _baseline(
    material: Material,
    classifier: Classifier,
    results: Results,
    left_out: dict[str, str],
) -> Baseline | None:
    if material.train is None or material.stopping is None:
        left_out["baseline"] = "No training texts were given to train it on"
        return None
    if reason := too_much(material.train, len(classifier.labels)):
        left_out["baseline"] = reason
        return None
    strange = {role: unlearned(dataset, material.train) for role, (dataset, _) in results.items()}
    fair = {role: found for role, found in results.items() if not strange[role]}
    if any(strange.values()):
        texts = "; ".join(
            f"of {role} {list_some(list(map(repr, names)), 5)}" for role, names in strange.items() if names
        )
        left_out["baseline"] = f"Not compared where texts have labels that no training text has: {texts}"
    if not fair:
        return None
    return compare_with_baseline(
        classifier, material.train, material.stopping, fair, metric=material.metric, seed=material.seed
    )


def _label_errors(
    material: Material, classifier: Classifier, results: Results, left_out: dict[str, str]
) -> LabelErrors | None:
    train = material.train
    judged = next((result.probabilities_NC for held, result in results.values() if material.by_folds(held)), None)
    reason = "No training texts were given to look at" if train is None else None
    if train is not None and judged is None:
        reason = too_much(train, len(classifier.labels))
    if train is None or reason is not None:
        left_out["label_errors"] = reason or ""
        return None
    return find_label_errors(train, classifier.labels, seed=material.seed, out_of_fold_NC=judged)
