"""Goes on from a checkpoint with new texts: old labels are kept, new ones are added.

Shape suffixes: N texts, C labels, K labels of the checkpoint, V texts that choose.
"""

from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from model.network import RecurrentClassifier
from training.config.config import TrainConfig
from training.config.start import Start, load_start
from training.data.continued import Continued
from training.data.corpus import Corpus
from training.data.dataset import list_some, truth_of
from training.errors import UsageError
from training.fit.objective import Loss, count_labels
from training.fit.remembering import Remembering, lift_of
from training.fit.steps import copies
from training.fit.trainer import Examples, LoopConfig, Trainer, supervised_loss
from training.linear.ngrams import mean_loss
from training.linear.probe import network_logits
from training.runs.classifier import ClassifierRun, new_network
from training.runs.folds import MOVED, between

SHOWN = 10
"""Labels that are named on the terminal."""


class Ending(TypedDict, total=False):
    """The arguments of a trainer that say what it minimises and which weights it ends with."""

    loss: Loss
    keep_last: bool


def continued_from(config: TrainConfig) -> Continued | None:
    """The checkpoint whose labels a run of `train` keeps; None if it starts otherwise or drops them.

    Raises:
        UsageError: a setting contradicts it.
        CheckpointError: there is nothing whole to start from.
    """
    if config.start is None or config.drop_old_labels:
        return None
    found = load_start(Path(config.start)).continued()
    if found is not None and config.ngrams.buckets:
        raise UsageError(
            f"ngrams.buckets={config.ngrams.buckets}: the n-grams of {found.name} are kept with its labels; leave the "
            "setting out, or give --drop-old-labels"
        )
    return found


def describe_continued(corpus: Corpus) -> str:
    """One line that says which labels come from the checkpoint and which are new; empty if none do."""
    if (continued := corpus.continued) is None:
        return ""
    old = continued.labels
    new = [label for label in corpus.labels if label not in old]
    said = f"continues {continued.name}: keeps its {len(old)} labels ({list_some(old, SHOWN)})"
    if lacking := corpus.without_texts:
        said += f", {len(lacking)} of them without a text here"
    said += f"; adds {len(new)} ({list_some(new, SHOWN)})" if new else "; adds none"
    return f"{said}. One network goes on, without folds; --drop-old-labels takes its layers alone"


def ending(
    network: RecurrentClassifier,
    train: Examples,
    corpus: Corpus,
    start: Start,
    loop: LoopConfig,
    device: torch.device,
) -> Ending:
    """The loss that keeps old answers, for the network before its first step, and which weights are right.

    Where the labels of checkpoint and texts differ, the last weights are: the validation texts, which are like the
    training texts, cannot judge the labels that these lack. See also `settle`.
    """
    places_K = np.array([corpus.labels.index(label) for label in start.labels])
    before_NK = network_logits(network, train.ids, device)[:, places_K]
    counts_C = count_labels(train.targets, len(corpus.labels), train.weights)
    learned = start.data["train"].labels if "train" in start.data else {}
    had = {label: learned.get(label, 0) for label in start.labels}
    lift_C = lift_of(counts_C, corpus.labels, had, corpus.task)
    loss = supervised_loss(train, len(corpus.labels), loop, device)
    return {"loss": Remembering(loss, before_NK, places_K, lift_C), "keep_last": not corpus.picks_weights}


def judges_all(corpus: Corpus) -> bool:
    """True if texts and checkpoint have the same labels, so that validation texts judge all that the network knows."""
    return corpus.continued is not None and corpus.picks_weights


def settle(run: ClassifierRun, trainer: Trainer) -> None:
    """Puts into the network what lies best between the checkpoint and what training made of it, and says where.

    As `training.runs.folds` has it; chosen by the loss of the texts that picked the weights. Does nothing where these
    do not judge all labels.
    """
    corpus, config = run.corpus, run.request.config
    if not judges_all(corpus):
        return
    before = new_network(config, corpus, run.tokenizer, run.start).weights()
    after, truth_VC, losses = copies(trainer.network.weights()), truth_of(corpus.stopping, corpus.labels), []
    for share in MOVED:
        trainer.network.load_weights(between(before, after, share))
        logits_VC = trainer.logits(trainer.validation)
        losses.append(mean_loss(logits_VC, truth_VC, corpus.task))
    best = int(np.argmin(losses))
    trainer.network.load_weights(between(before, after, MOVED[best]))
    hint = "" if MOVED[best] == 1 else "; --drop-old-labels takes the end"
    run.session.console.print(
        f"{MOVED[best]:.0%} of the way from the checkpoint is kept: validation loss {losses[best]:.4f}, "
        f"{losses[0]:.4f} of the checkpoint, {losses[-1]:.4f} at the end{hint}",
        highlight=False,
    )
