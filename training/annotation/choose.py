"""Chooses which texts a person should label next: unsure ones that differ, or typical ones while there are no labels.

Where a checkpoint can say how unsure it is, the surest texts are left out, and the others fall into as many clusters of
sentence vectors as labels are wanted, unsure texts pulling their cluster's centre; the text nearest to each centre is
chosen. Source: Zhdanov 2019, "Diverse mini-batch active learning", algorithm 1.

Before the first labels nothing can be unsure, and unsure texts of a weak model are odd ones. Then clusters are of all
texts, and of each cluster without labels, the largest first, the most typical text is chosen: that of the least mean
distance to its neighbours. Source: Hacohen et al. 2022, "Active learning on a budget: opposite strategies suit high and
low budgets", section 3 (TypiClust).

Shape suffixes: N texts, C labels, D width of a vector, M chosen.
"""

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

CANDIDATES = 10
"""Unsure texts kept for each text to choose; the surer ones are left out."""

NEIGHBOURS = 20
"""Texts of a cluster by whose distance another one is typical. Source: Hacohen et al. 2022, section 3.2."""

MAX_CLUSTERS = 500
"""Clusters of which a typical text is chosen. Source: Hacohen et al. 2022, section 3.2."""

ROUNDS = 30
"""Rounds of k-means, at most."""


def uncertainty(probabilities_NC: Floats, *, multi_label: bool = False) -> Floats:
    """The uncertainty [N] of a checkpoint, 0 (sure) to 1: 1 less the difference of the two most probable labels.

    With several labels a text each label is a question of its own, and the least sure one counts.

    >>> uncertainty(np.array([[0.5, 0.5], [1.0, 0.0]], dtype=np.float32)).tolist()
    [1.0, 0.0]
    """
    if multi_label:
        return np.asarray((1 - np.abs(2 * probabilities_NC - 1)).max(axis=1), dtype=np.float32)
    top_N2 = np.sort(probabilities_NC, axis=1)[:, -2:]
    return np.asarray(1 - (top_N2[:, 1] - top_N2[:, 0]), dtype=np.float32)


def choose_unsure(uncertainty_N: Floats, vectors_of: Callable[[Places], Floats], count: int, *, seed: int) -> Places:
    """Places [M] of `count` of N texts, or all if there are no more; the most unsure first.

    Args:
        uncertainty_N: of each text, 0 to 1.
        vectors_of: gives sentence vectors of the texts at some places.
        count: at least 1.
        seed: of the clusters.
    """
    kept = np.argsort(-uncertainty_N, kind="stable")[: CANDIDATES * count].astype(np.int64)
    if len(kept) <= count:
        return kept
    vectors, weights = vectors_of(kept), uncertainty_N[kept] + np.float32(1e-6)
    clusters = _clusters(vectors, count, seed, weights)
    distances = np.linalg.norm(vectors - clusters.cluster_centers_[clusters.labels_], axis=1)
    by_distance = np.argsort(distances, kind="stable")
    _, nearest = np.unique(clusters.labels_[by_distance], return_index=True)
    chosen = by_distance[nearest]
    if missing := count - len(chosen):  # copies leave clusters without a text
        chosen = np.append(chosen, np.setdiff1d(np.arange(len(kept)), chosen)[:missing])
    return kept[np.sort(chosen)]


def choose_typical(vectors_ND: Floats, count: int, *, known: int = 0, seed: int) -> Places:
    """Places [M] of `count` of N texts, or all that have no label; those of the largest clusters first.

    Args:
        vectors_ND: of all texts; those that have labels stand first.
        count: at least 1.
        known: texts that have labels.
        seed: of the clusters.
    """
    num_texts = len(vectors_ND)
    found = _clusters(vectors_ND, min(num_texts, MAX_CLUSTERS, known + count), seed).labels_
    covered, sizes = np.bincount(found[:known], minlength=found.max() + 1), np.bincount(found)
    members = [np.flatnonzero(found == cluster) for cluster in range(len(sizes))]
    free = [inside[inside >= known] for inside in members]
    chosen: list[int] = []
    while len(chosen) < min(count, num_texts - known):
        open_ = [cluster for cluster, texts in enumerate(free) if len(texts)]
        cluster = min(open_, key=lambda cluster: (covered[cluster], -sizes[cluster]))
        place = _most_typical(vectors_ND, free[cluster], members[cluster])
        free[cluster] = free[cluster][free[cluster] != place]
        covered[cluster] += 1
        chosen.append(place)
    return np.array(chosen, dtype=np.int64)


def _most_typical(vectors_ND: Floats, among: Places, members: Places) -> int:
    """The one of least mean distance to its neighbours among the members of its cluster."""
    if len(members) == 1:
        return int(among[0])
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(members))).fit(vectors_ND[members])
    distances, _ = search.kneighbors(vectors_ND[among])  # the first is the text itself
    return int(among[np.argmin(distances[:, 1:].mean(axis=1))])


def _clusters(vectors: Floats, count: int, seed: int, weights: Floats | None = None) -> KMeans:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct texts than clusters
        return KMeans(count, n_init=1, max_iter=ROUNDS, random_state=seed).fit(vectors, sample_weight=weights)
