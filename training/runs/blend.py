"""Puts the n-grams beside a network that has been trained.

Shape suffixes: N texts, F buckets, C labels, V texts that choose.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from tokenizers import Tokenizer

from model.batch import Ids
from model.network import RecurrentClassifier
from model.text import TextEncoder
from training.config.config import TrainConfig
from training.data.corpus import Corpus
from training.data.dataset import mostly_chinese
from training.fit.trainer import Trainer
from training.linear.new_columns import fit_new_columns, with_new_columns
from training.linear.ngrams import (
    Blend,
    NgramConfig,
    count_ngrams,
    cross_fit_blend,
    draw_rows,
    enough_buckets,
    fit_blend,
    joined,
    mean_loss,
)
from training.linear.targets import Targets

Floats = npt.NDArray[np.floating[Any]]


def with_ngrams(
    trainer: Trainer, corpus: Corpus, tokenizer: Tokenizer, config: TrainConfig, console: Console
) -> RecurrentClassifier:
    """The trained network with the n-grams of the labelled training texts beside it, if the configuration has any.

    A checkpoint that is continued keeps its own, to which columns of the new labels are added.

    C of the SVM and the shares are those of the least loss on `corpus.stopping`.
    """
    network, settings = trainer.network, config.ngrams
    if settings.buckets == 0 or (corpus.continued is not None and network.ngrams is None):
        return network
    encoder = TextEncoder(tokenizer, max_tokens=config.tokenizer.max_tokens)
    texts = corpus.train.texts
    rows, drawn_N = draw_rows(lambda some: [text.ids for text in encoder.encode(some)], texts, config.seed)
    if len(rows) < len(texts):
        said = f"n-grams are learned from {len(rows):,} of the {len(texts):,} texts, drawn at random"
        console.print(said, markup=False, highlight=False)
    if network.ngrams is not None:
        order, buckets = network.ngrams.max_order, len(network.ngrams.table)
    else:
        order, buckets = table_size(rows, corpus, settings)
    present_NF = count_ngrams(rows, order, buckets)
    present_VF = count_ngrams(trainer.validation.ids, order, buckets)
    targets = Targets.of(corpus.train, corpus.labels).take(drawn_N)
    chooses = Targets.of(corpus.stopping, corpus.labels)
    logits_VC = trainer.logits(trainer.validation)
    balanced = config.loop.class_weights == "balanced"
    given = (present_NF, targets, present_VF, chooses, logits_VC)
    if corpus.continued is not None:
        old, counts = corpus.continued.labels, corpus.train.counts()
        new_K = np.array([c for c, name in enumerate(corpus.labels) if name not in old and counts[name]], np.int64)
        found = fit_new_columns(*given, new_K, order, settings.strengths, corpus.task, balanced=balanced)
        return network if found is None else with_new_columns(network, found, new_K, corpus.task)
    blends = [fit_blend(*given, order, strength, corpus.task, balanced=balanced) for strength in settings.strengths]
    best = min(blends, key=lambda blend: blend.shares.loss)
    _say(best, logits_VC, chooses, corpus, console)
    return joined(network, best)


def with_cross_fitted_ngrams(
    network: RecurrentClassifier,
    logits_NC: Floats,
    train: Sequence[Ids],
    held: Sequence[Ids],
    corpus: Corpus,
    config: TrainConfig,
    console: Console,
) -> tuple[RecurrentClassifier, npt.NDArray[np.float32]]:
    """The network with the n-grams of all training texts beside it, and held-out logits of both together [N, C].

    Args:
        network: of all folds together.
        logits_NC: of networks that had not seen the text.
        train: token ids of the training texts.
        held: those of the same texts as validation has them, without masks; by these the n-grams are judged.
        corpus: has folds.
        config: for `ngrams` and the weights of labels.
        console: for a person to watch.
    """
    if config.ngrams.buckets == 0:
        return network, logits_NC.astype(np.float32)
    if corpus.fold_N is None:
        raise AssertionError("the corpus has folds")
    order, buckets = table_size(train, corpus, config.ngrams)
    targets = Targets.of(corpus.train, corpus.labels)
    blend, both_NC = cross_fit_blend(
        count_ngrams(train, order, buckets),
        targets,
        count_ngrams(held, order, buckets),
        corpus.fold_N,
        logits_NC,
        order,
        config.ngrams.strengths,
        corpus.task,
        balanced=config.loop.class_weights == "balanced",
    )
    _say(blend, logits_NC, targets, corpus, console)
    return joined(network, blend), both_NC.astype(np.float32)


def table_size(rows: Sequence[Ids], corpus: Corpus, settings: NgramConfig) -> tuple[int, int]:
    """Tokens of the longest n-gram, and rows of the table."""
    order = settings.order or (3 if mostly_chinese(corpus.train.texts) else 2)
    return order, settings.buckets or enough_buckets(rows, order, len(corpus.labels))


def _say(blend: Blend, network_VC: Floats, targets: Targets, corpus: Corpus, console: Console) -> None:
    without = mean_loss(network_VC, targets.truth_NC, corpus.task, weights_N=targets.weights_N)
    shares, each = blend.shares, " in the mean over the labels" if corpus.task == "multi_label" else ""
    console.print(
        f"n-grams of up to {blend.order} tokens beside the network: C {blend.strength:g}, shares "
        f"{shares.network_C.mean():.2f} and {shares.ngrams_C.mean():.2f}{each}, "
        f"loss {without:.4f} without, {shares.loss:.4f} with",
        highlight=False,
    )
