"""The transfer set, on which a student imitates its teachers.

It is the training texts, the unlabelled ones and variants of both, each once, without held-out texts.

Shape suffixes: N texts, C labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.choices import Allowed, allowed_labels, text_weights
from training.data.config import DataConfig
from training.data.corpus import Corpus
from training.data.dataset import soft_targets, truth_of
from training.data.duplicates import distinct, normalised
from training.data.variants import AugmentConfig, WordClasses, augment


@dataclass(frozen=True, slots=True)
class TransferSet:
    """The texts on which a student imitates its teachers.

    Attributes:
        texts: N distinct texts; those of the data come first, then variants.
        num_given: number of texts that are no variants.
        num_withheld: number of distinct given texts left out because validation or test has them.
    """

    texts: list[str]
    num_given: int
    num_withheld: int

    @property
    def given(self) -> list[str]:
        """The texts that are no variants."""
        return self.texts[: self.num_given]

    def describe(self) -> str:
        """The size in one line, for the terminal."""
        withheld = f"; {self.num_withheld:,} left out, which validation or test has" if self.num_withheld else ""
        variants = len(self.texts) - self.num_given
        return f"transfer set: {self.num_given:,} texts and {variants:,} variants{withheld}"


def build_transfer_set(corpus: Corpus, unlabeled: Sequence[str], config: AugmentConfig, *, seed: int) -> TransferSet:
    """Builds the transfer set; equal arguments give the same texts in the same order."""
    held_out = {normalised(text) for dataset in corpus.held_out.values() for text in dataset.texts}
    distinct_given = distinct([*corpus.train.texts, *unlabeled])
    given = distinct(distinct_given, but_not=held_out)
    allowed = set(given)
    labelled = [text for text in dict.fromkeys(corpus.train.texts) if text in allowed]
    others = given[len(labelled) :]
    variants: list[str] = []
    if config.variants or config.unlabeled_variants:
        classes = WordClasses(given, num_classes=config.classes, seed=seed)
        rng = np.random.default_rng(seed)
        variants = augment(labelled, classes, config, variants=config.variants, rng=rng)
        variants += augment(others, classes, config, variants=config.unlabeled_variants, rng=rng)
    texts = distinct([*given, *distinct(variants, but_not=held_out)])
    return TransferSet(texts, num_given=len(given), num_withheld=len(distinct_given) - len(given))


def known_labels(
    texts: Sequence[str], corpus: Corpus
) -> tuple[npt.NDArray[np.float32], Allowed, npt.NDArray[np.bool_]]:
    """Labels of those `texts` that stand in the training data, or their probabilities where the data have these.

    Returns:
        Zeros and ones or probabilities, float32 [N, C], the last row of the data counting where a text stands there
        several times; the labels among which it is judged; and bool [N], true where a text is labelled.
    """
    train, labels = corpus.train, corpus.labels
    shares_NC, choices_NC = soft_targets(train, labels), allowed_labels(train, labels)
    chosen_NC = truth_of(train, labels) if shares_NC is None else shares_NC
    rows = {text: row for row, text in enumerate(train.texts)}
    truth_NC = np.zeros((len(texts), len(labels)), dtype=np.float32)
    allowed_NC = np.ones(truth_NC.shape, dtype=np.bool_)
    labelled_N = np.zeros(len(texts), dtype=np.bool_)
    for place, text in enumerate(texts):
        if (row := rows.get(text)) is not None:
            truth_NC[place], labelled_N[place] = chosen_NC[row], True
            allowed_NC[place] = choices_NC[row]
    return truth_NC, allowed_NC, labelled_N


def label_weights(texts: Sequence[str], corpus: Corpus, config: DataConfig) -> npt.NDArray[np.float32] | None:
    """Weight [N] of each of `texts` in the loss: its source's if it stands in the training data, else 1.

    None if all weigh alike.
    """
    weights_N = text_weights(corpus.train, config)
    if weights_N is None:
        return None
    known = dict(zip(corpus.train.texts, weights_N.tolist(), strict=True))
    return np.array([known.get(text, 1.0) for text in texts], dtype=np.float32)
