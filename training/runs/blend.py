"""Puts the n-grams beside a network that has been trained.

Shape suffixes: N texts, F buckets, C labels, V texts that choose.
"""

from rich.console import Console
from tokenizers import Tokenizer

from model.network import RecurrentClassifier
from model.text import TextEncoder
from training.config.config import TrainConfig
from training.data.choices import among
from training.data.corpus import Corpus
from training.data.dataset import mostly_chinese, truth_of
from training.fit.trainer import Trainer
from training.linear.ngrams import count_ngrams, enough_buckets, fit_blend, joined, mean_loss


def with_ngrams(
    trainer: Trainer, corpus: Corpus, tokenizer: Tokenizer, config: TrainConfig, console: Console
) -> RecurrentClassifier:
    """The trained network with the n-grams of the labelled training texts beside it, if the configuration has any.

    C of the SVM and the shares are those of the least loss on `corpus.stopping`.
    """
    network, settings = trainer.network, config.ngrams
    if settings.buckets == 0:
        return network
    order = settings.order or (3 if mostly_chinese(corpus.train.texts) else 2)
    encoder = TextEncoder(tokenizer, max_tokens=config.tokenizer.max_tokens)
    rows = [text.ids for text in encoder.encode(corpus.train.texts)]
    buckets = settings.buckets or enough_buckets(rows, order, len(corpus.labels))
    present_NF = count_ngrams(rows, order, buckets)
    present_VF = count_ngrams(trainer.validation.ids, order, buckets)
    truth_NC, truth_VC = truth_of(corpus.train, corpus.labels), truth_of(corpus.stopping, corpus.labels)
    logits_VC = among(trainer.logits(trainer.validation), trainer.validation.allowed)
    balanced = config.loop.class_weights == "balanced"
    texts = (present_NF, truth_NC, present_VF, truth_VC, logits_VC)
    blends = [fit_blend(*texts, order, strength, corpus.task, balanced=balanced) for strength in settings.strengths]
    best = min(blends, key=lambda blend: blend.shares.loss)
    shares, each = best.shares, " in the mean over the labels" if corpus.task == "multi_label" else ""
    console.print(
        f"n-grams of up to {order} tokens beside the network: C {best.strength:g}, shares "
        f"{shares.network_C.mean():.2f} and {shares.ngrams_C.mean():.2f}{each}, "
        f"loss {mean_loss(logits_VC, truth_VC, corpus.task):.4f} without, {shares.loss:.4f} with",
        highlight=False,
    )
    return joined(network, best)
