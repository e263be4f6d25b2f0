"""From best weights to a finished checkpoint: calibrated, scored as it will be served, and written with its record.

The figures are those of the checkpoint as loaded from disk: what is measured is what is shipped.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from model.checkpoint import Checkpoint, save_checkpoint
from model.classifier import Classifier
from model.config import CheckpointConfig
from model.network import RecurrentClassifier, to_arrays
from model.probabilities import probabilities
from model.profile import Reference
from model.temperature import Temperature
from model.text import TextEncoder
from model.tokens import chinese_tokens, share_of_tokens
from training.artifacts.card import write_card
from training.artifacts.record import Calibration, Effort, MemberRecord, Record, StartRecord, TeacherRecord
from training.config.config import TrainConfig
from training.config.request import Request
from training.config.start import Start
from training.data.choices import allowed_labels, among
from training.data.corpus import Corpus
from training.evaluation.evaluate import Evaluation, Result, evaluate, logits_of, truth_for
from training.evaluation.precision import find_thresholds, with_section
from training.evaluation.reference import reference_of, source
from training.evaluation.sanity import result_warnings
from training.fit.trainer import Trainer
from training.metrics.calibration import calibration_error, fit_by_language, fit_thresholds
from training.metrics.decisions import confidence
from training.provenance import origin

ENOUGH_TO_CALIBRATE = 50
"""From so many texts on a temperature is fitted: from fewer it raises the loss of other texts more often than not."""

TRAINING_SAMPLE = 2000
"""Training texts scored, to set against validation."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network as it is published.

    Attributes:
        network: with the n-grams beside it.
        effort: of the training.
        held_out_NC: logits of the validation texts by networks that had not seen the text, where each text was trained
            on too; None where `network` has seen none of them.
        moved: False if the layers stay as they began, under a head that was fitted.
    """

    network: RecurrentClassifier
    effort: Effort
    held_out_NC: npt.NDArray[np.float32] | None = None
    moved: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is done.

    Attributes:
        start: the layers that it began with.
        members: the checkpoints of whose weights the network has the mean.
    """

    request: Request
    corpus: Corpus
    tokenizer: Tokenizer
    trained: Trained
    teachers: tuple[TeacherRecord, ...] = ()
    start: Start | None = None
    members: tuple[MemberRecord, ...] = ()


def publish(finished: Finished, output: Path, *, scratch: Path, device: str) -> Record:
    """Calibrates, evaluates and writes `output`; `scratch` is a folder for what comes before the figures are known."""
    corpus, held_out_NC = finished.corpus, finished.trained.held_out_NC
    raw = bare_checkpoint(finished.request.config, corpus, finished.tokenizer, finished.trained.network)
    calibrated = calibrate(raw, reload(raw, scratch, device), corpus, held_out_NC)
    kept = with_kept_thresholds(calibrated.config, corpus, finished.start)
    calibrated = dataclasses.replace(calibrated, config=kept)
    thresholds = find_thresholds(reload(calibrated, scratch, device), corpus.calibration, held_out_NC)
    config = calibrated.config.model_copy(update={"precision_thresholds": thresholds})
    calibrated = dataclasses.replace(calibrated, config=config)
    classifier = reload(calibrated, scratch, device)
    known = {"validation": held_out_NC}
    results = {role: evaluate(classifier, held, known.get(role)) for role, held in corpus.held_out.items()}
    evaluations = {role: result.evaluation for role, result in results.items()}
    calibration = compare(calibrated, results["validation"], corpus)
    training_accuracy = accuracy_of_sample(classifier, finished)
    reference = reference_of(
        classifier,
        corpus.validation.texts,
        results["validation"].probabilities_NC,
        [source(corpus.files["validation"])],
    )
    record = make_record(finished, evaluations, calibration, training_accuracy, reference, name=output.name)
    chose = corpus.fold_N is None and not corpus.calibrates_apart  # a fold's texts are judged by networks of the others
    card = with_section(write_card(record), thresholds, len(corpus.calibration), chose=chose)
    save_checkpoint(output, dataclasses.replace(calibrated, metrics=record.model_dump(mode="json"), card=card))
    return record


def bare_checkpoint(
    config: TrainConfig, corpus: Corpus, tokenizer: Tokenizer, network: RecurrentClassifier
) -> Checkpoint:
    """The weights in the number format to be stored, not calibrated and without figures."""
    dtype = {"float32": torch.float32, "float16": torch.float16}[config.weights]
    return Checkpoint(
        config=CheckpointConfig(
            task=corpus.task,
            labels=corpus.labels,
            max_tokens=config.tokenizer.max_tokens,
            architecture=network.architecture,
        ),
        weights=to_arrays({name: tensor.to(dtype) for name, tensor in network.weights().items()}),
        tokenizer=tokenizer,
        metrics={},
        card="",
    )


def reload(checkpoint: Checkpoint, scratch: Path, device: str) -> Classifier:
    """The classifier that a server would load."""
    save_checkpoint(scratch, checkpoint)
    return Classifier.load(scratch, device=device)


def calibrate(
    raw: Checkpoint, uncalibrated: Classifier, corpus: Corpus, held_out_NC: npt.NDArray[np.float32] | None = None
) -> Checkpoint:
    """`raw` with the temperatures and, for multi-label, the thresholds that fit `corpus.calibration`.

    Each of its texts counts as much as it weighs. They stay at 1 and 1/2 if it has fewer than `ENOUGH_TO_CALIBRATE`
    texts. `held_out_NC` is as of `Trained`.
    """
    if len(corpus.calibration) < ENOUGH_TO_CALIBRATE:
        return raw
    encoded = uncalibrated.encode(corpus.calibration.texts)
    rows = [text.ids for text in encoded]
    all_logits_NC = logits_of(uncalibrated, encoded) if held_out_NC is None else held_out_NC
    logits_NC = among(all_logits_NC, allowed_labels(corpus.calibration, uncalibrated.labels))
    truth_NC = truth_for(corpus.calibration, uncalibrated)
    chinese_N = share_of_tokens(chinese_tokens(raw.tokenizer), rows)
    judged_C = np.ones(len(corpus.labels), dtype=np.bool_)
    if corpus.task == "multi_label":  # nobody has said which texts have labels that only a continued checkpoint knows
        judged_C = np.array([label not in corpus.without_texts for label in corpus.labels])
    weights_N = corpus.calibration.weights
    other, chinese = fit_by_language(
        logits_NC[:, judged_C], truth_NC[:, judged_C], chinese_N, task=corpus.task, weights_N=weights_N
    )
    config = raw.config.model_copy(update={"temperature": other, "chinese_temperature": chinese})
    if corpus.task == "multi_label":
        tempered_NC = Temperature.of_checkpoint(config, raw.tokenizer).divide(logits_NC.astype(np.float64), rows)
        thresholds = fit_thresholds(probabilities(tempered_NC, task=corpus.task), truth_NC, weights_N=weights_N)
        config = config.model_copy(update={"thresholds": thresholds})
    return dataclasses.replace(raw, config=config)


def with_kept_thresholds(config: CheckpointConfig, corpus: Corpus, start: Start | None) -> CheckpointConfig:
    """The configuration with the checkpoint's thresholds for labels that no text to calibrate on has."""
    if start is None or config.thresholds is None or corpus.continued is None:
        return config
    counts = corpus.calibration.counts()
    pairs = zip(config.labels, config.thresholds, strict=True)
    kept = [fitted if counts[label] else start.thresholds.get(label, fitted) for label, fitted in pairs]
    return config.model_copy(update={"thresholds": tuple(kept)})


def compare(calibrated: Checkpoint, validation: Result, corpus: Corpus) -> Calibration:
    """The figures of validation before and after temperatures and thresholds."""
    before, after = validation.evaluation.uncalibrated, validation.evaluation.scores
    if before is None:
        raise AssertionError("`evaluate` gives these figures")
    multi_label = corpus.task == "multi_label"
    return Calibration(
        temperature=calibrated.config.temperature,
        ece_before=before.ece,
        ece_after=after.ece,
        nll_before=before.nll,
        nll_after=after.nll,
        rows=len(corpus.calibration) if len(corpus.calibration) >= ENOUGH_TO_CALIBRATE else 0,
        apart=corpus.calibrates_apart,
        macro_f1_before=before.macro_f1 if multi_label else None,
        macro_f1_after=after.macro_f1 if multi_label else None,
        chinese_temperature=calibrated.config.chinese_temperature,
        **({} if calibrated.config.chinese_temperature is None else ece_by_language(calibrated, validation, corpus)),
    )


def ece_by_language(calibrated: Checkpoint, validation: Result, corpus: Corpus) -> dict[str, float]:
    """ECE of the Chinese validation texts and of the others, by the field of `Calibration`; both occur."""
    config, tokenizer = calibrated.config, calibrated.tokenizer
    encoded = TextEncoder(tokenizer, max_tokens=config.max_tokens).encode(corpus.validation.texts)
    is_chinese_N = share_of_tokens(chinese_tokens(tokenizer), [text.ids for text in encoded]) >= 0.5
    return {
        field: calibration_error(
            *confidence(validation.probabilities_NC[part_N], validation.truth_NC[part_N], task=config.task)
        )
        for field, part_N in (("chinese_ece", is_chinese_N), ("other_ece", ~is_chinese_N))
    }


def accuracy_of_sample(classifier: Classifier, finished: Finished) -> float:
    """Accuracy on up to `TRAINING_SAMPLE` training texts."""
    train = finished.corpus.train
    rng = np.random.default_rng(finished.request.config.seed)
    chosen = sorted(rng.permutation(len(train))[:TRAINING_SAMPLE].tolist())
    return evaluate(classifier, train.take(chosen)).evaluation.scores.accuracy


def make_record(
    finished: Finished,
    evaluations: dict[str, Evaluation],
    calibration: Calibration,
    training_accuracy: float,
    reference: Reference,
    *,
    name: str,
) -> Record:
    """Everything that `metrics.json` says."""
    request, corpus, effort = finished.request, finished.corpus, finished.trained.effort
    config = request.config
    suspicions = result_warnings(
        evaluations["validation"],
        training_accuracy=training_accuracy,
        history=effort.history if finished.trained.held_out_NC is None else [],  # of folds nothing is picked
        config=config.loop,
        moved=finished.trained.moved,
        cut=request.cut,
    )
    if not calibration.rows:
        what = "temperature stays at 1" + " and the thresholds at 1/2" * (corpus.task == "multi_label")
        suspicions.append(f"the {what}: {len(corpus.calibration):,} validation texts are too few to fit it")
    return Record(
        name=config.name or name,
        task=corpus.task,
        recipe=request.recipe,
        command=request.command,
        seed=config.seed,
        evaluations=evaluations,
        training_accuracy=training_accuracy,
        calibration=calibration,
        num_parameters=sum(p.numel() for p in finished.trained.network.parameters()),
        vocab_size=finished.tokenizer.get_vocab_size(),
        effort=effort,
        data=corpus.files,
        source=config.data.source,
        licence=config.data.licence,
        warnings=corpus.warnings + suspicions,
        config=request.published_settings(),
        teachers=finished.teachers,
        start=_start_record(finished.start, corpus),
        members=finished.members,
        reference=reference,
        **origin(),
    )


def measure_effort(trainer: Trainer) -> Effort:
    """Time, steps and machine of a finished training."""
    history = trainer.history
    best = history[-1] if trainer.keep_last else max(history, key=lambda reading: reading["validation"])
    return Effort(epochs=history[-1]["epoch"], best_epoch=best["epoch"], **trainer.effort())


def _start_record(start: Start | None, corpus: Corpus) -> StartRecord | None:
    if start is None:
        return None
    return StartRecord(
        name=start.name,
        version=start.version,
        perplexity=start.perplexity,
        command=start.command,
        data=dict(start.data),
        kept=() if corpus.continued is None else start.labels,
    )
