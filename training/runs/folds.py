"""Trains on every text and validates on every text: networks of folds that are averaged into one.

A network for each fold learns from the other folds, all from the same pre-trained layers, and is scored on its own. The
weights of networks that begin alike can be averaged: Wortsman et al. 2022, "Model soups: averaging weights of multiple
fine-tuned models improves accuracy without increasing inference time", section 3. Between the layers as they were, with
a fitted head, and as they became lies often something better than both, mostly with few texts: Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models", section 3 (WiSE-FT); what share is right is chosen on the texts held out.

Shape suffixes: N texts, n texts of a fold, C labels, S shares of `MOVED`.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.files import replacing
from model.network import RecurrentClassifier
from training.artifacts.publish import Trained, measure_effort
from training.artifacts.record import Effort
from training.errors import UsageError
from training.fit.steps import copies
from training.fit.trainer import Examples, Trainer
from training.linear.ngrams import mean_loss
from training.linear.targets import Targets
from training.metrics.scores import measure
from training.runs.blend import with_cross_fitted_ngrams
from training.runs.classifier import ClassifierRun, encode_examples, encode_training, new_encoder, new_network
from training.runs.heads import fit_heads, with_head

Floats = npt.NDArray[np.floating[Any]]

MOVED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the way from the layers as they were to what training made of them, that are tried."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold's trained network, and what it says of the texts that it did not see.

    Attributes:
        weights: after training.
        logits_SnC: of the fold's texts, for each share of `MOVED`.
        effort: of its training.
    """

    weights: Weights
    logits_SnC: Tensor
    effort: Effort

    def save(self, path: Path) -> None:
        """Writes the fold, for a run that is interrupted later."""
        tensors = {f"network.{name}": weight.contiguous() for name, weight in self.weights.items()}
        metadata = {"effort": self.effort.model_dump_json()}
        with replacing(path) as partial:
            save_file(tensors | {"logits": self.logits_SnC.contiguous()}, partial, metadata=metadata)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            UsageError: the file is damaged.
        """
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
                effort = Effort.model_validate_json(file.metadata()["effort"])
            logits_SnC = tensors.pop("logits")
        except (OSError, SafetensorError, KeyError, TypeError, ValidationError) as error:
            raise UsageError(f"{path}: the saved fold is damaged ({error}); start anew with --overwrite") from error
        return cls({name.removeprefix("network."): tensor for name, tensor in tensors.items()}, logits_SnC, effort)


def train_folds(run: ClassifierRun) -> Trained | None:
    """Trains the network of each fold and averages them.

    Returns:
        None if Ctrl-C or SIGTERM came first; finished folds are kept for `--resume`.

    Raises:
        UsageError: a saved state is damaged.
        DivergedError: a gradient is not finite.
    """
    config, corpus, session = run.request.config, run.corpus, run.session
    if corpus.fold_N is None:
        raise AssertionError("the corpus has folds")
    encoder = new_encoder(config, run.tokenizer)
    train = encode_training(corpus, config.data, encoder)
    held = encode_examples(corpus.validation, corpus, encoder)
    network = new_network(config, corpus, run.tokenizer, run.start)
    heads = fit_heads(network, train, held, corpus, config, run.start, session.place["device"])
    run.introduce(network, f"{corpus.fold_N.max() + 1} folds")
    folds = []
    for number in range(corpus.fold_N.max() + 1):
        fold = _train_fold(run, number, with_head(network, heads.folds[number] if heads else None), train, held)
        if fold is None:
            return None
        folds.append(fold)
    targets = Targets.of(corpus.train, corpus.labels)
    logits_SNC = _in_order([fold.logits_SnC for fold in folds], corpus.fold_N)
    weighed = partial(mean_loss, weights_N=targets.weights_N)
    losses = [weighed(logits_NC, targets.truth_NC, corpus.task) for logits_NC in logits_SNC]
    best = int(np.argmin(losses))
    session.console.print(describe_way(len(folds), losses, best), highlight=False)
    before = with_head(network, heads.whole if heads else None).weights()
    after = {name: torch.stack([fold.weights[name] for fold in folds]).mean(0) for name in before}
    network.load_weights(between(before, after, MOVED[best]))
    network, logits_NC = with_cross_fitted_ngrams(
        network, logits_SNC[best], train.ids, held.ids, corpus, config, session.console
    )
    return Trained(network, _together([fold.effort for fold in folds]), logits_NC, moved=MOVED[best] > 0)


def describe_way(num_folds: int, losses: Sequence[float], best: int) -> str:
    """A sentence that says how much of what the folds learned is kept; `losses` are those of `MOVED`."""
    began, ended = f"{losses[0]:.4f} with layers as they began", f"{losses[-1]:.4f}"
    if best == 0:
        return (
            f"layers stay as they began, with a head fitted to all texts: validation loss {losses[0]:.4f}, "
            f"{ended} with networks of {num_folds} folds as they ended"
        )
    kept = f"{num_folds} networks averaged"
    if best == len(MOVED) - 1:
        return f"{kept}: validation loss {ended}, {began}"
    share = f"{MOVED[best]:.0%} of the way from the start"
    return f"{kept}, {share}: validation loss {losses[best]:.4f}, {began}, {ended} as they ended"


def between(before: Weights, after: Weights, share: float) -> dict[str, Tensor]:
    """Weights at a share of the way from one network to another.

    >>> between({"w": torch.tensor(1.0)}, {"w": torch.tensor(3.0)}, 0.25)
    {'w': tensor(1.5000)}
    """
    return {name: torch.lerp(weight.cpu(), after[name].cpu(), share) for name, weight in before.items()}


def _train_fold(
    run: ClassifierRun, number: int, network: RecurrentClassifier, train: Examples, held: Examples
) -> Fold | None:
    config, corpus, session = run.request.config, run.corpus, run.session
    path = session.run.path / f"fold-{number}.safetensors"
    if session.resume and path.exists():
        fold = Fold.load(path)
        session.log_readings(fold.effort.history, config.metric, f"fold-{number}")
        return fold
    fold_N = corpus.fold_N
    if fold_N is None:
        raise AssertionError("the corpus has folds")
    before = copies(network.weights())
    trainer = Trainer(
        network,
        train.take(np.flatnonzero(fold_N != number)),
        held.take(np.flatnonzero(fold_N == number)),
        config.loop.model_copy(update={"validations_per_epoch": 1}),
        measure=measure(config.metric, corpus.task),
        seed=config.seed + number,
        keep_last=True,
        **session.place,
    )
    title = f"fold {number + 1} of {fold_N.max() + 1}"
    if not session.fit(trainer, metric=config.metric, summary=title, part=f"fold-{number}"):
        return None
    last = trainer.history[-1]
    session.console.print(
        f"{title}  training loss {last['loss']:.4f}  validation {config.metric} {last['validation']:.4f}",
        highlight=False,
    )
    after, logits = copies(trainer.network.weights()), []
    for share in MOVED:
        trainer.network.load_weights(between(before, after, share))
        logits.append(torch.from_numpy(trainer.logits(trainer.validation)))
    fold = Fold({name: weight.cpu() for name, weight in after.items()}, torch.stack(logits), measure_effort(trainer))
    fold.save(path)
    shutil.rmtree(session.run.path / f"fold-{number}", ignore_errors=True)
    return fold


def _in_order(logits: Sequence[Tensor], fold_N: npt.NDArray[np.int64]) -> Floats:
    """The logits of all folds [S, N, C] in the order of the texts."""
    first = logits[0]
    result = np.zeros((len(first), len(fold_N), first.shape[2]), dtype=np.float32)
    for number, logits_SnC in enumerate(logits):
        result[:, fold_N == number] = logits_SnC.numpy()
    return result


def _together(efforts: Sequence[Effort]) -> Effort:
    """The effort of all folds: sums of seconds and steps, at each reading the mean of the folds, and the last kept."""
    seconds = sum(effort.seconds for effort in efforts)
    tokens = sum(effort.tokens_per_s * effort.seconds for effort in efforts)
    history = [
        {key: float(np.mean([reading[key] for reading in readings])) for key in readings[0]}
        for readings in zip(*(effort.history for effort in efforts), strict=True)
    ]
    return efforts[0].model_copy(
        update={
            "seconds": seconds,
            "tokens_per_s": tokens / max(seconds, 1e-9),
            "steps": sum(effort.steps for effort in efforts),
            "best_epoch": efforts[0].epochs,
            "history": history,
        }
    )
