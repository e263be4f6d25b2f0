"""Fits the n-grams that stand beside the network, and the weight of each of the two.

The network and the linear model are fitted apart and their logits are added: trained together by gradient steps, the
n-grams of a small set are learned by heart first and leave the network little to learn (`docs/experiments.md`).

Shape suffixes: N texts, F buckets, C labels, V texts that choose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from model.batch import Ids, lengths_of, plan_batches
from model.config import Frozen, Task
from model.network import RecurrentClassifier
from model.ngrams import distinct_buckets
from model.padding import pad
from model.probabilities import probabilities
from training.linear.nbsvm import as_two, fit_svm
from training.linear.targets import Targets
from training.metrics.decisions import Decisions
from training.metrics.scores import losses

Floats = npt.NDArray[np.floating[Any]]

CHUNK = 4096
"""Tokens, padding included, whose n-grams are sought at once."""


MAX_BUCKETS = 2**20
MAX_NUMBERS = 2**23
"""Bounds of a table whose size the texts decide: 16 MB in half precision, whatever the number of labels."""

MAX_TOKENS = 6_000_000
"""Tokens of the texts that the linear model is fitted to, at most; of more texts it is fitted to some, drawn at random.

Each takes 50 to 100 bytes for every n-gram that ends there; beside the network, more texts hardly help.
"""

READ_TEXTS = 4096
"""Texts that are tokenised at once to count their tokens."""

FINEST = 2**24
"""Buckets in which hardly two n-grams meet, for counting them."""


class NgramConfig(Frozen):
    """The linear model beside the network.

    Attributes:
        buckets: rows of its table; 0 leaves it out, None is what `enough_buckets` says.
        order: tokens of the longest n-gram; 0 is 3 where the text is mostly Chinese, whose tokens are characters, else
            2 (Wang & Manning 2012, section 4: bigrams help throughout).
        strengths: values of the SVM's C that are tried.
    """

    buckets: Annotated[int, Field(ge=0, le=2**24)] | None = None
    order: Annotated[int, Field(ge=0, le=5)] = 0
    strengths: tuple[Annotated[float, Field(gt=0)], ...] = (0.3, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Shares:
    """The weights of two models beside each other: `network_C` of one's logits, `ngrams_C` of the other's, `offset_C`.

    Attributes:
        network_C, ngrams_C: not negative. One factor for all labels of a single choice; of labels that are a decision
            each, one for each.
        offset_C: 0 for a single choice. An SVM's margin says nothing of how rare a label is.
        loss: of both together on the texts that choose.
    """

    network_C: Floats
    ngrams_C: Floats
    offset_C: Floats
    loss: float

    def logits(self, network_NC: Floats, linear_NC: Floats) -> Floats:
        """The logits of both together [N, C]."""
        return self.network_C * network_NC + self.ngrams_C * linear_NC + self.offset_C


@dataclass(frozen=True, slots=True)
class Blend:
    """A fitted linear model and what it counts beside the network.

    Attributes:
        table_FC, bias_C: its weights.
        order: tokens of its longest n-gram.
        strength: C of the SVM.
        shares: of network and n-grams.
    """

    table_FC: Floats
    bias_C: Floats
    order: int
    strength: float
    shares: Shares


def draw_rows(
    encode: Callable[[Sequence[str]], Sequence[Ids]], texts: Sequence[str], seed: int, max_tokens: int = MAX_TOKENS
) -> tuple[list[Ids], npt.NDArray[np.int64]]:
    """Token ids of as many texts as `max_tokens` admit, drawn at random, and their places in rising order."""
    drawn_N = np.random.default_rng(seed).permutation(len(texts))
    rows: dict[int, Ids] = {}
    num_tokens = 0
    for start in range(0, len(texts), READ_TEXTS):
        places = drawn_N[start : start + READ_TEXTS].tolist()
        for place, row in zip(places, encode([texts[place] for place in places]), strict=True):
            num_tokens += len(row)
            if num_tokens > max_tokens and rows:
                break
            rows[place] = row
        if num_tokens > max_tokens:
            break
    chosen = sorted(rows)
    return [rows[place] for place in chosen], np.array(chosen, dtype=np.int64)


def count_ngrams(rows: Sequence[Ids], order: int, num_buckets: int) -> csr_matrix:
    """The buckets of each text's n-grams: float32 [N, F], one over the root of their number each.

    `model.ngrams.NgramBag` multiplies its table with the same.
    """
    found = [np.zeros(0, dtype=np.int32)] * len(rows)  # not int64: they are most of the memory of a long file
    for batch in plan_batches(lengths_of(rows), max_tokens=CHUNK):
        padded = pad([rows[i] for i in batch])
        buckets_BP = distinct_buckets(padded.ids_TB, padded.lengths_B, order, num_buckets).T.numpy()
        for i, buckets_P in zip(batch, buckets_BP, strict=True):
            found[i] = buckets_P[buckets_P < num_buckets].astype(np.int32)
    numbers = lengths_of(found)
    pointers = np.concatenate([np.zeros(1, np.int32), numbers.cumsum(dtype=np.int32)])
    columns = np.concatenate(found) if found else np.zeros(0, np.int32)
    values = np.repeat(np.maximum(numbers, 1) ** -0.5, numbers).astype(np.float32)
    return csr_matrix((values, columns, pointers), shape=(len(rows), num_buckets))


def enough_buckets(rows: Sequence[Ids], order: int, num_labels: int) -> int:
    """Twice the distinct n-grams of the texts or a little more, within `MAX_BUCKETS` and `MAX_NUMBERS`; a power of two.

    So most n-grams have a row of their own (with n balls in 2 n boxes e^-1/2 of them, 61%, are alone).
    """
    distinct = np.unique(count_ngrams(rows, order, FINEST).indices).size
    bound = min(MAX_BUCKETS, MAX_NUMBERS // num_labels)
    return int(2 ** min(np.ceil(np.log2(max(2 * distinct, 2))), np.floor(np.log2(bound))))


def fit_blend(
    present_NF: csr_matrix,
    targets: Targets,
    present_VF: csr_matrix,
    chooses: Targets,
    logits_VC: Floats,
    order: int,
    strength: float,
    task: Task,
    *,
    balanced: bool = False,
) -> Blend:
    """The linear model of this strength, and the shares of least loss on the texts that choose."""
    table_FC, bias_C = fit_table(present_NF, targets, strength, task, balanced=balanced)
    shares = best_shares(logits_VC, present_VF @ table_FC + bias_C, chooses, task)
    return Blend(table_FC, bias_C, order, strength, shares)


def cross_fit_blend(
    present_NF: csr_matrix,
    targets: Targets,
    held_NF: csr_matrix,
    fold_N: npt.NDArray[np.int64],
    logits_NC: Floats,
    order: int,
    strengths: Sequence[float],
    task: Task,
    *,
    balanced: bool = False,
) -> tuple[Blend, Floats]:
    """The linear model of all texts, its strength and shares chosen by models that had not seen the text.

    Args:
        present_NF, targets: of all texts, as they are learned from.
        held_NF: of the same texts, as they are judged: nothing is masked in them.
        fold_N: the part of each text; a model for each part is fitted to the others.
        logits_NC: of networks that had not seen the text.
        order, strengths, task, balanced: as of `NgramConfig` and `fit_blend`.

    Returns:
        The model and its shares, and the logits [N, C] of network and n-grams that had not seen the text.
    """
    best: tuple[float, Shares, Floats] | None = None
    for strength in strengths:
        linear_NC: Floats = np.zeros(targets.truth_NC.shape)
        for fold in np.unique(fold_N):
            others, held = np.flatnonzero(fold_N != fold), np.flatnonzero(fold_N == fold)
            table_FC, bias_C = fit_table(present_NF[others], targets.take(others), strength, task, balanced=balanced)
            linear_NC[held] = held_NF[held] @ table_FC + bias_C
        shares = best_shares(logits_NC, linear_NC, targets, task)
        if best is None or shares.loss < best[1].loss:
            best = strength, shares, linear_NC
    if best is None:
        raise AssertionError("there is at least one strength")
    strength, shares, linear_NC = best
    table_FC, bias_C = fit_table(present_NF, targets, strength, task, balanced=balanced)
    return Blend(table_FC, bias_C, order, strength, shares), shares.logits(logits_NC, linear_NC)


def fit_table(
    present_NF: csr_matrix, targets: Targets, strength: float, task: Task, *, balanced: bool = False
) -> tuple[Floats, Floats]:
    """Table [F, C] and bias [C] of the linear model of this strength."""
    columns = [
        fit_svm(rows.of(present_NF), strength, rows.labels_R, weights_N=rows.weights_R, balanced=balanced)
        for rows in targets.columns(task)
    ]
    each_CF = np.stack([ratios_F * weights_F for ratios_F, weights_F, _ in columns])
    weights_CF, bias_C = as_two(each_CF, np.array([bias for _, _, bias in columns]), task)
    return weights_CF.T, bias_C


def best_shares(network_VC: Floats, linear_VC: Floats, targets: Targets, task: Task) -> Shares:
    """The shares of the least mean loss of the labels, each text as much as it weighs."""
    truth_VC, weights_V = targets.truth_NC, targets.weights_N
    if task == "single_label":
        return _least_loss(network_VC, linear_VC, truth_VC, task, weights_V)
    columns = [slice(place, place + 1) for place in range(truth_VC.shape[1])]
    each = [_least_loss(network_VC[:, c], linear_VC[:, c], truth_VC[:, c], task, weights_V) for c in columns]
    network_C, ngrams_C, offset_C = np.array([(s.network_C[0], s.ngrams_C[0], s.offset_C[0]) for s in each]).T
    return Shares(network_C, ngrams_C, offset_C, float(np.mean([s.loss for s in each])))


def _least_loss(
    network_VC: Floats, linear_VC: Floats, truth_VC: Decisions, task: Task, weights_V: Floats | None
) -> Shares:
    """One factor for each model and, where each label is a decision, one offset."""
    ones_C = np.ones(truth_VC.shape[1])

    def shares(numbers: Floats, loss: float = 0.0) -> Shares:
        network, ngrams, offset = numbers if len(numbers) == 3 else (*numbers, 0.0)
        return Shares(network * ones_C, ngrams * ones_C, offset * ones_C, loss)

    def loss_of(numbers: Floats) -> float:
        return mean_loss(shares(numbers).logits(network_VC, linear_VC), truth_VC, task, weights_N=weights_V)

    start, bounds = [0.7, 0.7], [(0.05, 5.0), (0.0, 10.0)]
    if task == "multi_label":
        start, bounds = [*start, 0.0], [*bounds, (-10.0, 10.0)]
    found = minimize(loss_of, x0=np.array(start), method="L-BFGS-B", bounds=bounds)
    return shares(found.x, float(found.fun))


def mean_loss(logits_NC: Floats, truth_NC: Decisions, task: Task, *, weights_N: Floats | None = None) -> float:
    """Mean negative log-likelihood, in nats; by the weights of the texts, unless there are none or only zeros."""
    losses_N = losses(probabilities(logits_NC.astype(np.float64), task=task), truth_NC, task=task)
    return float(np.average(losses_N, weights=weights_N if weights_N is not None and weights_N.any() else None))


def joined(network: RecurrentClassifier, blend: Blend) -> RecurrentClassifier:
    """A network that answers with both; `network` is left as it is."""
    buckets = len(blend.table_FC)
    architecture = network.architecture.model_copy(update={"ngram_buckets": buckets, "ngram_order": blend.order})
    both = RecurrentClassifier(architecture, network.head.out_features, network.dropouts).to(network.embedding.device)
    shares = blend.shares

    def tensor(numbers: Floats) -> torch.Tensor:
        return torch.as_tensor(numbers, dtype=torch.float32, device=both.head.bias.device)

    with torch.no_grad():
        both.load_state_dict(network.state_dict(), strict=False)
        both.head.weight.mul_(tensor(shares.network_C)[:, None])
        both.head.bias.mul_(tensor(shares.network_C))
        both.head.bias.add_(tensor(shares.ngrams_C * blend.bias_C + shares.offset_C))
        if both.ngrams is not None:
            both.ngrams.table.copy_(tensor(shares.ngrams_C * blend.table_FC))
    return both.eval()
