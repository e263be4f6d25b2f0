"""Failures of a model by capability, and their table.

In the manner of CheckList: Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models
with CheckList".
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from scipy.stats import binomtest

from model.config import Frozen
from training.errors import UsageError
from training.evaluation.card_section import put_section
from training.evaluation.checklist.cases import Case
from training.evaluation.checklist.chinese import chinese_cases
from training.evaluation.checklist.english import english_cases
from training.evaluation.checklist.facts import fact_cases

Language = Literal["en", "zh", "both"]
Predict = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""From texts to the probability of each label."""

NUM_CASES = 120
SEED = 20

TOLERANCE = 0.1
"""A probability may fall by so much before it counts.

Source: Ribeiro et al. 2020, table 1 ("fails if sent. goes down by > 0.1")."""

NEGATION = "negation: "


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a case.

    Attributes:
        answers: label with the highest probability, of each text.
        positive: probability of `positive`, of each text.
        severity: 0 to 1; the probability that the expected label lacks or lost, or the share that moved between labels.
    """

    case: Case
    answers: tuple[str, ...]
    positive: tuple[float, ...]
    failed: bool
    severity: float


class Failure(Frozen):
    """Failed case: its texts, the answer and the probability of `positive` of each, and the expected label, if any."""

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    positive: tuple[float, ...]
    expected: str | None


class Capability(Frozen):
    """Figures of one capability.

    Attributes:
        interval: 95% (Wilson 1927), over the cases drawn; those of one template are alike, so another
            list may differ by more.
        worst: failures, worst first.
    """

    name: str
    check: str
    cases: int
    failed: int
    interval: tuple[float, float]
    worst: tuple[Failure, ...]

    @property
    def rate(self) -> float:
        """Share of cases failed."""
        return self.failed / self.cases


def all_cases(language: Language, count: int = NUM_CASES) -> list[Case]:
    """All cases of the suite, the same each time: `count` a capability at most, but all neutral facts."""
    cases = []
    if language != "zh":
        cases += english_cases(count, Random(SEED)) + fact_cases("en")
    if language != "en":
        cases += chinese_cases(count, Random(SEED)) + fact_cases("zh")
    return cases


def askable(cases: Sequence[Case], labels: Sequence[str]) -> list[Case]:
    """Leaves out the cases whose expected label is none of these: neutral facts, for a checkpoint of two labels."""
    return [case for case in cases if case.label is None or case.label in labels]


def judge(cases: Sequence[Case], predict: Predict, labels: Sequence[str]) -> list[Outcome]:
    """Asks the model for each text once; `labels` are those of its probabilities, in their order."""
    texts = list(dict.fromkeys(text for case in cases for text in case.texts))
    scores = {text: dict(zip(labels, row, strict=True)) for text, row in zip(texts, predict(texts), strict=True)}
    return [_judge(case, [scores[text] for text in case.texts]) for case in cases]


def _judge(case: Case, scores: Sequence[Mapping[str, float]]) -> Outcome:
    """Judges one case; with a third label, a neutral answer to a judgement is a failure."""
    answers = tuple(max(found, key=found.__getitem__) for found in scores)
    positive = tuple(found["positive"] for found in scores)
    if case.check == "same":
        before, after = scores
        moved = sum(abs(after[label] - before[label]) for label in before) / 2
        return Outcome(case, answers, positive, answers[0] != answers[1], moved)
    expected = [found[case.label or "positive"] for found in scores]
    if case.check == "no lower":
        fall = expected[0] - expected[1]
        return Outcome(case, answers, positive, fall > TOLERANCE, max(0.0, fall))
    return Outcome(case, answers, positive, answers[0] != case.label, 1 - expected[0])


def summarise(outcomes: Sequence[Outcome], *, num_worst: int) -> list[Capability]:
    """Figures by capability, in the order of the suite, then of all kinds of negation of a language together."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.case.capability].append(outcome)
    for name, found in list(groups.items()):
        language, _, rest = name.partition("/")
        if rest.startswith(NEGATION):
            groups[f"{language}/{NEGATION}all"] += found
    return [_capability(name, found, num_worst) for name, found in groups.items()]


def _capability(name: str, outcomes: Sequence[Outcome], num_worst: int) -> Capability:
    failed = sorted((o for o in outcomes if o.failed), key=lambda o: -o.severity)
    interval = binomtest(len(failed), len(outcomes)).proportion_ci(0.95, method="wilson")
    return Capability(
        name=name,
        check=outcomes[0].case.check,
        cases=len(outcomes),
        failed=len(failed),
        interval=(float(interval.low), float(interval.high)),
        worst=tuple(
            Failure(texts=o.case.texts, answers=o.answers, positive=o.positive, expected=o.case.label)
            for o in failed[:num_worst]
        ),
    )


def check_labels(labels: Sequence[str]) -> None:
    """Checks that the labels are `negative` and `positive`, with or without `neutral`.

    Raises:
        UsageError: they are others.
    """
    if set(labels) not in ({"negative", "positive"}, {"negative", "neutral", "positive"}):
        raise UsageError(
            f"the checklist is for the labels negative and positive, with or without neutral, not {', '.join(labels)}"
        )


def table(capabilities: Sequence[Capability]) -> str:
    """Markdown table with a row per capability."""
    lines = ["| capability | check | cases | failed | 95% interval |", "| --- | --- | ---: | ---: | --- |"]
    for found in capabilities:
        low, high = found.interval
        lines.append(f"| {found.name} | {found.check} | {found.cases} | {found.rate:.1%} | {low:.1%} to {high:.1%} |")
    return "\n".join(lines)


def section(card: str, figures: str) -> str:
    """Puts the table into a card, before its section on limits or at its end; an older table goes."""
    title = "## Robustness\n\nHow often it fails where a person does not, on templates that it was not trained on"
    return put_section(card, f"{title}\n(`python -m training checklist`).\n\n{figures}", before=["## Limits"])


def report(capabilities: Sequence[Capability], labels: Sequence[str]) -> str:
    """Table and worst failures, and a sentence on neutral facts if they were not asked."""
    parts = [table(capabilities), "\n".join(worst_lines(capabilities))]
    if "neutral" not in labels:
        parts.insert(1, "Neutral facts are left out: the checkpoint has no label neutral.")
    return "\n\n".join(parts)


def worst_lines(capabilities: Sequence[Capability]) -> list[str]:
    """Lines that show the worst failures."""
    lines = []
    for found in capabilities:
        if not found.worst or found.name.endswith(f"{NEGATION}all"):
            continue
        lines.append(f"{found.name}:")
        for failure in found.worst:
            answers = " -> ".join(failure.answers)
            scores = " -> ".join(f"{p:.2f}" for p in failure.positive)
            expected = f", expected {failure.expected}" * (failure.expected is not None)
            lines.append(f"  {' -> '.join(failure.texts)}  ({answers}; positive {scores}{expected})")
    return lines


def as_json(capabilities: Sequence[Capability], checkpoint: Mapping[str, str]) -> dict[str, object]:
    """All figures, as written to a file."""
    found = {capability.name: {"rate": capability.rate} | capability.model_dump() for capability in capabilities}
    return {"checkpoint": dict(checkpoint), "seed": SEED, "tolerance": TOLERANCE, "capabilities": found}
