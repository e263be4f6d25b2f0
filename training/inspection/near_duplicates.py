"""Finds texts that nearly repeat others, by MinHash of their runs of three words.

The share of equal minima of two texts estimates the Jaccard similarity of their sets of runs. Texts with equal minima
in all rows of a band become a pair, whose estimate is then judged. Everything is done in NumPy, on the fingerprints
that also find leaks: a million short texts take some ten seconds.

Source: Broder 1997, "On the resemblance and containment of documents"; bands: Leskovec et al., "Mining of Massive
Datasets", section 3.4.

Shape suffixes: N texts, M minima of a text, P pairs.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.data.fingerprints import Places, WordRuns, batches, word_runs

MINIMA, BAND = 48, 6
"""Minima of a text, and of a band of them: 8 bands find 93% of the pairs of similarity 0.8, and 12% of those of 0.5."""

SIMILAR = 0.75
"""Share of equal minima from which two texts are near duplicates: a word changed in a text of 24."""

MIN_UNITS = 8
"""Shorter texts are not compared: of so few words a changed one matters."""

Minima = npt.NDArray[np.uint32]

_FACTORS = np.random.default_rng(0).integers(1, 2**63, MINIMA, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def near_duplicates(texts: Sequence[str], chosen: Places) -> tuple[Places, Places]:
    """Pairs [P] of texts that nearly repeat each other, the later one first; each later text stands in one pair.

    Args:
        texts: all of them.
        chosen: places of the texts to compare, in order; none of them equal.
    """
    minima_NM, kept = _signatures(texts, chosen)
    later: list[Places] = []
    earlier: list[Places] = []
    for band in range(0, MINIMA, BAND):
        keys = np.zeros(len(kept), dtype=np.uint64)
        for column in range(band, band + BAND):
            keys = (keys ^ minima_NM[:, column]) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
        first, before = order[same], order[same - 1]
        equal = np.fromiter(
            ((minima_NM[one] == minima_NM[other]).mean() for one, other in zip(first, before, strict=True)),
            dtype=np.float64,
            count=len(first),
        )
        later.append(first[equal >= SIMILAR])
        earlier.append(before[equal >= SIMILAR])
    found, place = np.unique(np.concatenate(later), return_index=True)
    return kept[found], kept[np.concatenate(earlier)[place]]


def _signatures(texts: Sequence[str], chosen: Places) -> tuple[Minima, Places]:
    """Minima [N, M] of the texts that are long enough, and their places."""
    parts = [(np.zeros((0, MINIMA), dtype=np.uint32), np.zeros(0, dtype=np.int64))]
    selected = [texts[place] for place in chosen]
    for part in batches(selected):
        runs = word_runs(selected[part])
        parts.append((_minima(runs), chosen[part][runs.units_N >= MIN_UNITS]))
    return np.concatenate([minima for minima, _ in parts]), np.concatenate([places for _, places in parts])


def _minima(runs: WordRuns) -> Minima:
    """Minima [N, M] of the texts of `MIN_UNITS` or more."""
    long_N = runs.units_N >= MIN_UNITS
    kept_G = long_N[runs.text_G]
    run_G, text_G = runs.run_G[kept_G], runs.text_G[kept_G]
    starts_N = np.flatnonzero(np.diff(text_G, prepend=-1))
    minima_NM = np.empty((len(starts_N), MINIMA), dtype=np.uint32)
    if len(starts_N):
        for place, factor in enumerate(_FACTORS):
            minima_NM[:, place] = np.minimum.reduceat((run_G * factor) >> np.uint64(32), starts_N)
    return minima_NM
