"""Training texts whose label may be wrong, for a person to look at; nothing is removed.

Shape suffixes: N texts, C labels.
"""

from collections.abc import Sequence

import numpy as np

from model.embedder import ALL, load_embedder
from model.folder import DIGESTS
from model.vectors import embed, unit_length
from training.config.layers import ENCODER
from training.data.dataset import Dataset, truth_of
from training.linear.out_of_fold import out_of_fold
from training.metrics.decisions import Floats
from training.metrics.label_errors import rank_label_errors
from training.reporting.baseline import sample
from training.reporting.figures import shown
from training.reporting.report import Example, LabelErrors

MOST_ROWS = 10_000

DOUBTS = 100

BY_NETWORK = "networks like the checkpoint's, each trained without the texts that it judged"
BY_REGRESSION = "logistic regression over TF-IDF"
BY_VECTORS = f"{BY_REGRESSION} and over the sentence vectors of checkpoints/encoder"


def find_label_errors(
    train: Dataset, labels: tuple[str, ...], *, seed: int, out_of_fold_NC: Floats | None = None
) -> LabelErrors:
    """The training texts in the order of doubt about their labels.

    Args:
        train: the training texts with their labels.
        labels: of the checkpoint.
        seed: of the folds, and of the sample of `MOST_ROWS` texts where there are more and no probabilities.
        out_of_fold_NC: probabilities of the training texts by networks that did not see them; None where there are
            none: then logistic regression judges, and sentence vectors help it where their encoder is there.
    """
    judged, by = train, BY_NETWORK
    if out_of_fold_NC is None:
        judged = sample(train, MOST_ROWS, seed)
        vectors_ND = None if train.task == "multi_label" else sentence_vectors(judged.texts)
        by = BY_REGRESSION if vectors_ND is None else BY_VECTORS
        out_of_fold_NC = out_of_fold(judged, labels, vectors_ND=vectors_ND, seed=seed)
    truth_NC, task = truth_of(judged, labels), judged.task
    doubts = rank_label_errors(out_of_fold_NC, truth_NC, task=task)
    # The tail is of no doubt at all: what is likelier right than wrong is not shown.
    first = [place for place in doubts.order_N[:DOUBTS].tolist() if doubts.given_N[place] < doubts.other_N[place]]
    return LabelErrors(
        judged_by=by,
        file=train.file_names,
        rows=len(judged),
        of=len(train),
        expected=doubts.expected,
        texts=tuple(
            Example(
                row=str(judged.rows[place]),
                text=shown(judged.texts[place]),
                given=judged.labels[place],
                answer=(labels[int(doubts.label_N[place])],),
                given_probability=float(np.clip(doubts.given_N[place], 0, 1)),
                answer_probability=float(np.clip(doubts.other_N[place], 0, 1)),
            )
            for place in first
        ),
    )


def sentence_vectors(texts: Sequence[str]) -> Floats | None:
    """Vectors [N, D] of the shipped encoder, centred over the texts and of length 1; None where it is left out.

    Raises:
        CheckpointError: its folder is damaged.
    """
    if not (ENCODER / DIGESTS).is_file():
        return None
    vectors_ND = embed(load_embedder(ENCODER, vectors=ALL, device="cpu"), texts, normalize=False)
    return unit_length(vectors_ND - vectors_ND.mean(axis=0))
