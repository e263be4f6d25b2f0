"""Checks for tokens and openings that give a label away.

A word that a label's texts often have is what a classifier is to learn. Suspicious is a token that is no word (an
address, a mention, a number, a bracketed sign) and that one label has nearly for itself, and a word that stands in a
large part of one label's texts and hardly elsewhere.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from training.inspection.finding import Finding, Severity, around, finding
from training.inspection.material import Material

TOKEN = re.compile(
    r"https?://(?:www\.)?(?P<host>[\w.-]+)\S*|www\.(?P<www>[\w.-]+)\S*"
    r"|\[[^\[\]\s]{1,8}\]|[@#]?\w+(?:[-_.:'’]\w+)*#?"
)
"""An address, a sign in brackets, or a word with what is joined to it."""

ADDRESS = "http://"

DIGIT = re.compile(r"\d")

PURE = 0.98
"""Share of the rows with a token that have one label, from which on the token gives it away."""

MIN_ROWS = 20
"""Rows with a token below which its purity may be chance."""

ODD_SHARE, WORD_SHARE, OPENING_SHARE = 0.02, 0.4, 0.1
"""Share of a label's rows from which on a token that is no word, a word, and an opening are reported."""

OPENING = (2, 3, 5)
"""Words of an opening."""

CHANCE = 14.0
"""A token is telling only if chance would give it to one label in less than exp(-14), one in a million, of cases."""

Least = Callable[[str], float]
"""The share of a label's rows that must have a feature for it to be reported."""


class Telling(NamedTuple):
    """A token that gives a label away.

    Attributes:
        token: as it is shown.
        label: that it gives away.
        rows: number of rows with it.
        share: the part of them that has the label.
    """

    token: str
    label: str
    rows: int
    share: float


def check_giveaways(material: Material) -> Iterator[Finding]:
    """Finds tokens and openings that stand in texts of one label nearly alone."""
    places = material.sample
    tokens = [set(_tokens(material.dataset.texts[place])) for place in places]
    yield from _report(material, "giveaway", tokens, _is_telling_token)
    openings = [set(_openings(material.dataset.texts[place])) for place in places]
    yield from _report(material, "giveaway_opening", openings, lambda _: OPENING_SHARE)


def _tokens(text: str) -> Iterator[str]:
    for match in TOKEN.finditer(text):
        host = match["host"] or match["www"]
        if host:
            yield f"{ADDRESS}{host.casefold()}"
            continue
        token = match[0].casefold()
        yield DIGIT.sub("0", token) if any(map(str.isalpha, token)) else token


def _openings(text: str) -> Iterator[str]:
    words = text[:200].split()
    yield from (" ".join(words[:length]) for length in OPENING if len(words) > length)
    if not words or len(words[0]) >= 12:  # a script without spaces
        yield from (text.strip()[:length] for length in (4, 8))


def _is_telling_token(token: str) -> float:
    """The share of a label's rows from which on the token is suspicious."""
    return WORD_SHARE if token.replace("'", "").replace("-", "").isalpha() else ODD_SHARE


def _report(material: Material, kind: str, features: Sequence[set[str]], least: Least) -> Iterator[Finding]:
    dataset, places = material.dataset, material.sample
    found = find_telling(features, [dataset.labels[place] for place in places], least)
    found = [one for one in found if not any(one.token.startswith(other.token + " ") for other in found)]
    if not found:
        return
    telling = {one.token for one in found}
    rows = [place for place, own in zip(places, features, strict=True) if not own.isdisjoint(telling)]
    shown = ", ".join(f"'{one.token}' in {one.rows:,}, {one.share:.1%} of them '{one.label}'" for one in found[:5])
    more = f" and {len(found) - 5:,} more" if len(found) > 5 else ""
    severity: Severity | None = "problem" if len(rows) > len(places) / 4 else None
    first = re.compile("|".join(re.escape(one.token.removeprefix(ADDRESS)) for one in found), re.IGNORECASE)
    show = partial(_shown, first)
    yield finding(
        kind, material.role, dataset, rows, total=len(places), detail=shown + more, severity=severity, show=show
    )


def _shown(pattern: re.Pattern[str], text: str) -> str:
    place = pattern.search(text)
    return around(text, place.start() if place else 0)


def find_telling(features: Sequence[set[str]], labels: Sequence[tuple[str, ...]], least: Least) -> list[Telling]:
    """Finds features that one label has nearly for itself, those in most rows first.

    Args:
        features: those of each row.
        labels: those of each row.
        least: the share of a label's rows that must have a feature for it to count.
    """
    total = Counter(feature for own in features for feature in own)
    often = {feature for feature, rows in total.items() if rows >= MIN_ROWS}
    sizes = Counter(name for names in labels for name in names)
    by_label: dict[str, Counter[str]] = defaultdict(Counter)
    for own, names in zip(features, labels, strict=True):
        for feature in own & often:
            by_label[feature].update(names)
    found = []
    for feature, counts in by_label.items():
        ((label, rows),) = counts.most_common(1)
        share = rows / total[feature]
        common = sizes[label] / len(labels)
        by_chance = total[feature] * math.log(max(common, 1e-9)) > -CHANCE
        if share >= max(PURE, 1 - (1 - common) / 5) and rows >= least(feature) * sizes[label] and not by_chance:
            found.append(Telling(feature, label, total[feature], share))
    return sorted(found, key=lambda one: (-one.rows, one.token))
