"""Checks of rows by themselves: left out ones, and texts that say nothing."""

import re
from collections.abc import Iterator

import numpy as np

from training.inspection.finding import Finding, finding
from training.inspection.material import Material
from training.inspection.scan import where

NO_TEXT = frozenset(
    [
        *("n/a", "na", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "undefined", "missing"),
        *("not available", "no text", "empty", "(empty)", "tbd", "[deleted]", "[removed]", "无", "空", "暂无"),
    ]
)
"""Whole texts that stand for a missing one, without case."""

NUMBER = re.compile(r"(?=.*\d)[\d\s.,:/%+\-()#$€£¥]+")

FEW_TEXTS = 0.05
"""Share of different texts among the rows below which the column is hardly one of texts."""

MIN_ROWS = 50


def check_left_out(material: Material) -> Iterator[Finding]:
    """Gives the rows that are left out because they have no text, no label or no weight."""
    dataset = material.dataset
    left_out = {
        "without_text": dataset.without_text,
        "without_label": dataset.without_label,
        "weightless": dataset.weightless,
    }
    total = len(dataset) + sum(places.count for places in left_out.values())
    for kind, places in left_out.items():
        if places.count:
            yield finding(
                kind,
                material.role,
                dataset,
                [],
                count=places.count,
                total=total,
                rows=places.first,
                severity="look" if places.count > 0.05 * total else None,
            )
    if dataset.misread.count:
        rows = dataset.misread.first
        yield finding("misread", material.role, dataset, [], count=dataset.misread.count, total=total, rows=rows)


def check_contents(material: Material) -> Iterator[Finding]:
    """Finds texts that hold no words."""
    dataset = material.dataset
    texts = dataset.texts
    found = {
        "missing_word": where(texts, lambda text: len(text) < 30 and text.strip().casefold() in NO_TEXT),
        "number_only": where(texts, lambda text: len(text) < 200 and NUMBER.fullmatch(text) is not None),
        "no_letters": where(texts, lambda text: len(text) < 200 and not any(map(str.isalnum, text))),
    }
    for kind, places in found.items():
        if places:
            yield finding(kind, material.role, dataset, places)
    num_different = len(np.unique(material.text_N))
    if len(texts) >= MIN_ROWS and num_different < FEW_TEXTS * len(texts):
        detail = f"{num_different:,} different ones"
        yield finding("constant_text", material.role, dataset, range(len(texts)), detail=detail)
