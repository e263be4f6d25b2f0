"""Markdown of a checkpoint's figures: tables for docs/results.md, and a section of its card."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.training.sentiment.figures import POLAR, Reading, SentimentFigures, SetFigures
from benchmarks.training.sentiment.sets import (
    CAPABILITY_BAR,
    FACTS_BAR,
    FEW_ROWS,
    NEGATION_BAR,
    SENTENCES,
    THREE_LABELS,
    TWEETS,
    TWEETS_BAR,
    TWO_LABELS,
    ece_bar,
)
from training.data.sentiment_sets import SENTIMENT
from training.evaluation.card_section import put_section
from training.evaluation.checklist.check import NEGATION, Capability
from training.metrics.intervals import Interval, wilson_interval

CARD_TITLE = "## Public sets\n"
OLD_TABLE = "| test set | texts | accuracy | macro-F1 | ECE |\n"
FACTS = "neutral facts"


def results(figures: SentimentFigures) -> str:
    """All tables, with what is needed to judge and repeat them."""
    parts = [
        _wrapped(_origin(figures)),
        f"```sh\n{figures.command}\n```",
        _wrapped(
            "**Two labels**: positive against negative, neutral texts left out and the two probabilities divided by "
            "their sum. `of three` is the accuracy on the same texts when neutral may be answered, which is wrong on "
            "them."
        ),
        _two_labels(figures),
        _wrapped(_notes(figures)),
        _wrapped(
            "**Three labels**, beside TF-IDF with logistic regression that learned from the set's own training split "
            "alone, in the same run."
        ),
        _three_labels(figures),
        "**Tweets in two labels**",
        _tweets(figures),
        "**Checklist**",
        _checklist(figures),
        "**Calibration**",
        _calibration(figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def card_section(figures: SentimentFigures) -> str:
    """Section of the card: every set in two and in three labels, with its licence."""
    heading = ["set", "language", "texts", "accuracy, two labels", "ECE", "accuracy, three", "macro-F1, three"]
    rows = [
        [name, SENTIMENT.sets[name].language, f"{found.two.rows:,}", _shown(found.two.accuracy,
         found.two.accuracy_interval), _ece(found.two), *_three_cells(found), SENTIMENT.sets[name].licence]
        for name, found in figures.sets.items()
    ]  # fmt: skip
    barred = [name for name in figures.sets if not SENTIMENT.sets[name].teaches]
    before = (
        f"Figures in percent, of the {figures.split} splits, with 95% intervals; measured on {figures.created[:10]}.\n"
        "With two labels, texts that are neutral are left out, and the answer is the more probable of negative and "
        "positive.\nWith three, a neutral answer to a text that is not is wrong. In brackets: the ECE to expect of so "
        "few texts by chance."
    )
    after = (
        "Which label of a set is positive, neutral or negative: `training/data/sentiment_sets.toml`. Nothing may be "
        f"learned from {', '.join(barred)}, whose licences bar it."
    )
    if figures.absent:
        after += f" No file of this split: {', '.join(figures.absent)}."
    return "\n\n".join([f"{CARD_TITLE}\n{before}", _table([*heading, "licence of the set"], rows), after])


def with_section(card: str, section: str) -> str:
    """Puts the section into a card, before its data or at its end; an older one, and the table of test sets, go."""
    head, title, rest = card.partition(OLD_TABLE)
    card = head + rest.partition("\n\n")[2] if title else card
    return put_section(card, section, before=["## Data"])


def _origin(figures: SentimentFigures) -> str:
    labels = ", ".join(figures.labels)
    return (
        f"{figures.created[:10]}, {figures.machine}, one thread, {figures.seconds:.0f} s; checkpoint `{figures.name}` "
        f"version `{figures.version}` ({labels}), {figures.split} splits. Figures in percent, with 95% intervals; "
        "ECE with that to expect of so few texts by chance in brackets."
    )


def _two_labels(figures: SentimentFigures) -> str:
    rows = []
    for name, bar in TWO_LABELS.items():
        if (found := figures.sets.get(name)) is None:
            continue
        among = "" if found.three is None else _percent(found.three.accuracy)
        accuracy = _shown(found.two.accuracy, found.two.accuracy_interval)
        rows.append([name, f"{found.two.rows:,}", _taught(found), accuracy, _bar(found.two.accuracy, bar),
                     _ece(found.two), _ece_bar(found.two), among])  # fmt: skip
    return _table(["set", "texts", "taught", "accuracy", "bar", "ECE", "its bar", "of three"], rows)


def _three_labels(figures: SentimentFigures) -> str:
    rows = []
    for name in THREE_LABELS:
        if (found := figures.sets.get(name)) is None:
            continue
        three, linear = found.three, found.baseline
        accuracy, macro_f1 = _three_cells(found)
        called = "" if found.neutral is None else _percent(found.neutral)
        beside = (
            ["", ""]
            if linear is None
            else [_shown(linear.macro_f1, linear.macro_f1_interval), _percent(linear.accuracy)]
        )
        gap = "" if three is None or linear is None else f"{100 * (three.macro_f1 - linear.macro_f1):+.1f}"
        count = f"{(three or found.two).rows:,}"
        two = _percent(found.two.accuracy)
        rows.append([name, count, _taught(found), macro_f1, accuracy, called, *beside, gap, two])
    heading = ["set", "texts", "taught", "macro-F1", "accuracy", "called neutral", "TF-IDF macro-F1", "its accuracy"]
    return _table([*heading, "gap", "accuracy, two labels"], rows)


def _three_cells(found: SetFigures) -> list[str]:
    """Accuracy and macro-F1 among three labels; macro-F1 only of a set that has neutral texts."""
    if found.three is None:
        return ["", ""]
    has_neutral = found.three.rows > found.two.rows
    macro_f1 = _shown(found.three.macro_f1, found.three.macro_f1_interval) if has_neutral else ""
    return [_shown(found.three.accuracy, found.three.accuracy_interval), macro_f1]


def _tweets(figures: SentimentFigures) -> str:
    rows = [
        [name, f"{found.two.rows:,}", _taught(found), _shown(found.two.accuracy, found.two.accuracy_interval),
         _bar(found.two.accuracy, TWEETS_BAR), _ece(found.two)]
        for name in TWEETS if (found := figures.sets.get(name)) is not None
    ]  # fmt: skip
    return _table(["set", "texts", "taught", "accuracy", "bar", "ECE"], rows)


def _checklist(figures: SentimentFigures) -> str:
    """Neutral facts, all of negation, and each single capability that fails more often than its bar allows."""
    found = {capability.name: capability for capability in figures.capabilities}
    facts = [capability for name, capability in found.items() if name.endswith(FACTS)]
    rows = []
    if facts:
        cases = sum(one.cases for one in facts)
        right = cases - sum(one.failed for one in facts)
        shown = _shown(right / cases, wilson_interval(right, cases))
        rows.append(["neutral facts called neutral", f"{cases:,}", shown, _bar(right / cases, FACTS_BAR)])
    for name in ("en", "zh"):
        rows.append(_failures(f"{name}: all of negation fails", found[f"{name}/{NEGATION}all"], NEGATION_BAR))
    over = [one for name, one in found.items() if one.rate > CAPABILITY_BAR and not name.endswith(f"{NEGATION}all")]
    over = [one for one in over if one not in facts]
    rows += [_failures(f"{one.name} fails", one, CAPABILITY_BAR) for one in sorted(over, key=lambda one: -one.rate)]
    return _table(["check", "cases", "share", "bar"], rows)


def _failures(name: str, found: Capability, bar: float) -> list[str]:
    return [name, f"{found.cases:,}", _shown(found.rate, found.interval), _bar(found.rate, bar, least=False)]


def _calibration(figures: SentimentFigures) -> str:
    """Counts the sets within the bar of ECE, of few rows and of many, and names the others."""
    judged = {name: _judged(name, found) for name, found in figures.sets.items()}
    rows = []
    for title, fits in (
        (f"under {FEW_ROWS:,}", lambda rows: rows < FEW_ROWS),
        (f"{FEW_ROWS:,} and over", lambda rows: rows >= FEW_ROWS),
    ):
        rows.append(_ece_row(title, judged, fits))
    return _table(["texts of the set", "bar", "sets", "within", "over the bar"], rows)


def _ece_row(title: str, judged: Mapping[str, Reading], fits: Callable[[int], bool]) -> list[str]:
    those = {name: one for name, one in judged.items() if fits(one.rows)}
    over = {name: one for name, one in those.items() if one.ece > ece_bar(one.rows)}
    names = ", ".join(f"{name} {_ece(one)}" for name, one in over.items())
    bar = next((_percent(ece_bar(one.rows)) for one in those.values()), "")
    return [title, bar, f"{len(those)}", f"{len(those) - len(over)}", names]


def _judged(name: str, found: SetFigures) -> Reading:
    """The reading that the set is for: in three labels where it has neutral texts and the checkpoint the label."""
    return found.three if found.three is not None and name in THREE_LABELS else found.two


def _notes(figures: SentimentFigures) -> str:
    notes = []
    if sentences := {name: figures.sets[name].two.accuracy for name in SENTENCES if name in figures.sets}:
        mean = sum(sentences.values()) / len(sentences)
        notes.append(f"Single sentences ({', '.join(sentences)}): {_percent(mean)} on average.")
    if figures.absent:
        notes.append(f"Without a {figures.split} split: {', '.join(figures.absent)}.")
    if not set(POLAR) < set(figures.labels):
        notes.append("The checkpoint has no label neutral: it is not judged in three.")
    return " ".join(notes)


def _taught(found: SetFigures) -> str:
    return {True: "yes", False: "unseen", None: ""}[found.taught]


def _bar(value: float, bar: float | None, *, least: bool = True) -> str:
    """The bar, and whether the value misses it."""
    if bar is None:
        return ""
    return _percent(bar) + ("" if (value >= bar if least else value <= bar) else " missed")


def _ece_bar(reading: Reading) -> str:
    return _bar(reading.ece, ece_bar(reading.rows), least=False)


def _ece(reading: Reading) -> str:
    chance = "" if reading.ece_by_chance is None else f" ({_percent(reading.ece_by_chance)})"
    return _percent(reading.ece) + chance


def _shown(value: float, interval: Interval) -> str:
    return f"{_percent(value)} [{_percent(interval[0])} to {_percent(interval[1])}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heading)} |", f"| {' | '.join(['---'] * len(heading))} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, width=100, break_long_words=False, break_on_hyphens=False)
