"""Checks of the labels: their number, their balance, their spelling."""

from collections import Counter
from collections.abc import Container, Iterator

from tables.label_names import NUMBER, spelling_groups, unusual_none
from tables.names import same_name
from training.data.corpus import FEW_HELD_OUT, FEW_TEXTS
from training.data.dataset import Dataset, list_some
from training.data.split import small_labels
from training.inspection.finding import Finding, Severity, finding
from training.inspection.material import Material

FEW_ROWS = 100
"""A training file with fewer rows is reported."""

MANY_NUMBERS = 20
"""More labels than this that are numbers may be a quantity."""

ROWS_A_NUMBER = 20
"""A label that is a number and has fewer rows in the mean looks like a value of a quantity."""

DOMINANT, LOPSIDED = 0.9, 20.0
"""Share of the commonest label, and its rows for each one of the rarest, from which on labels are unbalanced."""


def check_labels(material: Material) -> Iterator[Finding]:
    """Finds labels that are too few, too many, unbalanced or spelled in several ways."""
    dataset, counts = material.dataset, material.dataset.counts()
    if len(dataset) < FEW_ROWS:
        yield finding("few_rows", material.role, dataset, [], count=len(dataset))
    header = [
        place
        for place, (text, names) in enumerate(zip(dataset.texts, dataset.labels, strict=True))
        if len(text) < 100 and same_name(text, dataset.text_column) and dataset.label_column in names
    ]
    if header:
        yield finding("header_row", material.role, dataset, header)
    if len(counts) == 1 and dataset.task == "single_label":
        yield finding("single_class", material.role, dataset, range(len(dataset)), detail=f"'{next(iter(counts))}'")
        return
    if odd := list(_wrong_column(material, counts)):
        yield from odd
        return
    yield from _spelling(material, counts)
    yield from _balance(material, counts)


def _wrong_column(material: Material, counts: Counter[str]) -> Iterator[Finding]:
    dataset = material.dataset
    shown = list_some([f"'{name[:40]}'" for name in counts], 5)
    detail = f"{len(counts):,} different ones: {shown}"
    numbers = sum(NUMBER.fullmatch(name) is not None for name in counts)
    fractions = sum(NUMBER.fullmatch(name) is not None and "." in name for name in counts)
    if numbers == len(counts) > MANY_NUMBERS and (
        fractions >= len(counts) / 2 or len(dataset) < ROWS_A_NUMBER * len(counts)
    ):
        yield finding("quantity", material.role, dataset, range(len(dataset)), detail=detail)
    elif len(dataset) >= MANY_NUMBERS and len(counts) > len(dataset) / 2 and dataset.task == "single_label":
        yield finding("own_label", material.role, dataset, range(len(dataset)), detail=detail)


def _spelling(material: Material, counts: Counter[str]) -> Iterator[Finding]:
    dataset = material.dataset
    if groups := spelling_groups(counts):
        alike = {name for group in groups for name in group[1:]}
        shown = [", ".join(f"{name!r} ({counts[name]:,})" for name in group) for group in groups]
        yield finding("similar_labels", material.role, dataset, _with(dataset, alike), detail=list_some(shown, 5))
    if doubtful := unusual_none(counts, frozenset()):
        yield finding("doubtful_label", material.role, dataset, _with(dataset, {doubtful}), detail=f"'{doubtful}'")


def _balance(material: Material, counts: Counter[str]) -> Iterator[Finding]:
    dataset = material.dataset
    if small := small_labels(dataset, fewer_than=FEW_TEXTS):
        shown = list_some([f"'{name}' ({count})" for name, count in small], 8)
        rows = _with(dataset, {name for name, _ in small})
        yield finding("rare_labels", material.role, dataset, rows, detail=shown)
    if len(counts) < 2:
        return
    (name, most), *others = counts.most_common()
    (_, second), (rarest, least) = others[0], others[-1]
    judged = min([second, *(count for _, count in others if count >= FEW_TEXTS)])  # the others are rare labels
    if most >= DOMINANT * len(dataset) or most >= LOPSIDED * judged:
        detail = f"'{name}'; the rarest, '{rarest}', has {least:,}"
        severity: Severity = "look" if most >= DOMINANT * len(dataset) and dataset.task == "single_label" else "note"
        yield finding("imbalance", material.role, dataset, [], count=most, detail=detail, severity=severity)


def _with(dataset: Dataset, names: Container[str]) -> list[int]:
    return [place for place, own in enumerate(dataset.labels) if any(name in names for name in own)]


def check_fit(material: Material) -> Iterator[Finding]:
    """Finds held-out files whose labels do not fit those of the training file."""
    train = material.dataset
    known, cut_short = train.counts(), False
    for role, dataset in material.held_out.items():
        if dataset.task != train.task:
            yield finding("other_task", role, dataset, range(len(dataset)))
            continue
        counts = dataset.counts()
        if unknown := counts.keys() - known.keys():
            shown = list_some([f"'{name}' ({counts[name]:,})" for name in sorted(unknown)], 5)
            yield finding("unknown_label", role, dataset, _with(dataset, unknown), detail=shown)
        if missing := sorted(known.keys() - counts.keys()):
            cut_short = True
            shown = list_some([f"'{name}'" for name in missing], 5)
            yield finding("missing_label", role, dataset, [], count=len(missing), total=len(known), detail=shown)
        if len(dataset) < FEW_HELD_OUT:
            yield finding("few_held_out", role, dataset, [], count=len(dataset))
    if cut_short and _is_sorted(train):
        yield finding("sorted_labels", material.role, train, range(len(train)))


def _is_sorted(dataset: Dataset) -> bool:
    """True if the rows of each label stand together, in a file of some rows a label."""
    changes = sum(one != other for one, other in zip(dataset.labels, dataset.labels[1:], strict=False))
    return len(dataset) >= FEW_ROWS and changes == len(set(dataset.labels)) - 1
