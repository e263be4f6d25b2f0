"""Checks of texts that occur more than once: copies, contradictions, near copies, leaks of held-out texts."""

from collections.abc import Iterator

import numpy as np

from training.data.fingerprints import Marks, Places
from training.data.leaks import HeldOut
from training.evaluation.leaks import LeakCount
from training.inspection.finding import Finding, Severity, finding
from training.inspection.material import Material
from training.inspection.near_duplicates import near_duplicates

MANY = 0.02
"""Share of rows from which on copies are worth a look."""

MANY_LEAKS = 0.05
"""Share of held-out rows from which on leaks are a problem."""


def check_duplicates(material: Material) -> Iterator[Finding]:
    """Finds texts that other rows have too, with the same labels or others, and near copies."""
    dataset = material.dataset
    _, first, group_N = np.unique(material.text_N, return_index=True, return_inverse=True)
    codes: dict[tuple[str, ...], int] = {}
    label_N = np.array([codes.setdefault(tuple(sorted(names)), len(codes)) for names in dataset.labels])
    same_N = label_N == label_N[first][group_N]
    contradicting = np.zeros(len(first), dtype=np.bool_)
    contradicting[group_N[~same_N]] = True
    repeated = np.ones(len(dataset), dtype=np.bool_)
    _, earliest = np.unique(np.stack([group_N, label_N]), axis=1, return_index=True)
    repeated[earliest] = False
    if rows := _together(contradicting, group_N):
        severity: Severity | None = "problem" if len(rows) > MANY * len(dataset) else None
        yield finding("contradiction", material.role, dataset, rows, severity=severity)
    if rows := np.flatnonzero(repeated).tolist():
        severity = "look" if len(rows) > MANY * len(dataset) else None
        yield finding("duplicate", material.role, dataset, rows, severity=severity)
    yield from _near(material, np.sort(first), label_N)


def _together(chosen: Marks, group_N: Places) -> list[int]:
    """Rows of the chosen groups, those of one group side by side."""
    rows = np.flatnonzero(chosen[group_N])
    together: list[int] = rows[np.argsort(group_N[rows], kind="stable")].tolist()
    return together


def _near(material: Material, first: Places, label_N: Places) -> Iterator[Finding]:
    later, earlier = near_duplicates(material.dataset.texts, first)
    if not len(later):
        return
    others = int((label_N[later] != label_N[earlier]).sum())
    detail = f"{others:,} of them with other labels" if others else ""
    shown = [place for pair in zip(later.tolist(), earlier.tolist(), strict=True) for place in pair]
    severity: Severity | None = "look" if len(later) > MANY * len(material.dataset) else None
    yield finding(
        "near_duplicate", material.role, material.dataset, shown[:2], count=len(later), detail=detail, severity=severity
    )


def check_leaks(material: Material) -> Iterator[Finding]:
    """Finds held-out texts that the training texts give away, by the rule of `training.data.leaks`."""
    train = material.dataset.texts
    for role, dataset in material.held_out.items():
        count = LeakCount(HeldOut({role: dataset.texts}))
        count.add(material.role, train, num_examples=0)
        if rows := np.flatnonzero(count.leaked()).tolist():
            (found,) = count.by_file()
            detail = f"{found.whole:,} the text, {found.sentence:,} a sentence, {found.ngram:,} a run of words"
            severity: Severity | None = "look" if len(rows) < MANY_LEAKS * len(dataset) else None
            yield finding("leak", role, dataset, rows, detail=detail, severity=severity)
