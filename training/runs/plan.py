"""Fits the folds and the passes of a run to its texts and to the time that it may take.

Few texts are worth more time each: up to `FEW` of them are all trained on, and validated on by folds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from tokenizers import Tokenizer

from training.config.config import TrainConfig
from training.config.request import Request
from training.config.start import Start
from training.data.corpus import Corpus, read_corpus
from training.data.duplicates import normalised
from training.errors import UsageError
from training.fit.progress import format_duration
from training.fit.trainer import SMALLEST_BATCH
from training.runs.classifier import encode_training, new_encoder, new_network, new_trainer
from training.runs.session import Session

FEW = 5000
"""Training texts up to which there are folds."""

FOLDS, FEWER_FOLDS = 5, 3

SLOWEST = 2000.0
"""Tokens a second: a run that fits into its budget at this rate is not measured."""

SAMPLE = 2000
"""Texts by which tokens are counted and the rate is measured."""

MEASURED_STEPS, MEASURED_S = 12, 4.0
"""Steps, or seconds, over which the rate is measured."""

OVERHEAD = 1.4
"""Time of a run over that of its steps: tokens, head, n-grams, validation and the scores at the end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Number of folds, 0 for none, and of passes over the texts."""

    folds: int
    epochs: int

    def __str__(self) -> str:
        passes = "1 pass" if self.epochs == 1 else f"{self.epochs} passes"
        return passes + (f" of {self.folds} folds" if self.folds else "")

    def passes(self) -> int:
        """Times that each text is trained on, by all networks together."""
        return self.epochs * max(1, self.folds - 1)


def fitted(
    request: Request, corpus: Corpus, tokenizer: Tokenizer, start: Start | None, session: Session
) -> tuple[Request, Corpus]:
    """The request with its folds and passes decided, and the corpus that belongs to it.

    `corpus` is without folds, and stays as it is where none are decided.

    Raises:
        UsageError: folds are asked for that cannot be.
    """
    config = request.config
    plan = Plan(choose_folds(config, corpus, start, session), config.loop.epochs)
    if request.budget_s is not None and session.processes.count > 1:
        said = f"{plan}: --budget shortens runs of one process only; --set loop.epochs=N shortens this one"
        session.console.print(said, highlight=False)
    elif request.budget_s is not None:
        tokens = count_tokens(corpus, config, tokenizer)
        rate = SLOWEST
        if seconds(plan, tokens, rate) > request.budget_s:
            rate = measure_rate(config, corpus, tokenizer, start, session)
        chosen = within(request.budget_s, plan, lambda plan: seconds(plan, tokens, rate))
        _say(plan, chosen, request.budget_s, lambda plan: seconds(plan, tokens, rate), session.console)
        plan = chosen
    data = config.data.model_copy(update={"folds": plan.folds})
    loop = config.loop.model_copy(update={"epochs": plan.epochs})
    if plan.folds:
        corpus = read_corpus(data, seed=config.seed, data_root=Path(request.data_root), folds=plan.folds)
    config = config.model_copy(update={"data": data, "loop": loop})
    cut = plan.epochs < request.config.loop.epochs
    return request.model_copy(update={"config": config, "cut": cut}), corpus


def unfolded(request: Request, console: Console) -> Request:
    """The request of a run that has no folds, whatever its settings say; a person is told of what they say."""
    data = request.config.data
    if not data.folds:
        return request
    held = f"{data.validation_fraction:.0%} of the training texts are held out for validation"
    console.print(
        f"without folds: data.folds={data.folds} is for train alone; "
        + (held if data.validation is None else "the validation file is used"),
        highlight=False,
    )
    config = request.config.model_copy(update={"data": data.model_copy(update={"folds": 0})})
    return request.model_copy(update={"config": config})


def choose_folds(config: TrainConfig, corpus: Corpus, start: Start | None, session: Session) -> int:
    """The number of folds: that of the settings, or `FOLDS` for few texts where the start can be fitted to each fold.

    Raises:
        UsageError: the settings name a number, and the run cannot have folds.
    """
    obstacle = _obstacle(config, corpus, start, session)
    if config.data.folds is not None:
        if config.data.folds and obstacle:
            raise UsageError(f"data.folds={config.data.folds}: {obstacle}; leave it out")
        return config.data.folds
    texts = [*corpus.train.texts, *corpus.validation.texts]
    if obstacle or start is None or len(texts) > FEW:
        return 0
    if not start.maps:
        session.console.print(
            f"without folds: {start.name} has no sentence vectors, to which the head of each fold is fitted; "
            f"--set data.folds={FOLDS} averages as many networks without that",
            markup=False,
            highlight=False,
        )
        return 0
    return FOLDS if len(set(map(normalised, texts))) >= 2 * FOLDS else 0  # equal texts are in one fold


def _obstacle(config: TrainConfig, corpus: Corpus, start: Start | None, session: Session) -> str:
    """The reason for which a run cannot have folds; empty if it can."""
    reasons = {
        "networks can be averaged only if they start from the same layers (--start)": start is None,
        "one network goes on from a checkpoint whose labels it keeps": corpus.continued is not None,
        "a validation file is given": config.data.validation is not None,
        "texts of a mixture are judged among the labels of their set": config.data.source_column is not None,
        "texts without labels are learned from by one network": config.semi.is_on or bool(config.semi.unlabeled),
        "several processes train one network": session.processes.count > 1,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def within(budget_s: float, wanted: Plan, cost: Callable[[Plan], float]) -> Plan:
    """The first plan that fits: as wanted, with half the passes, with fewer folds, without folds and fewer passes.

    Where not even one pass fits, one pass.
    """
    half = -(-wanted.epochs // 2)
    plans = [wanted]
    if wanted.folds:
        plans += [Plan(wanted.folds, half), Plan(min(wanted.folds, FEWER_FOLDS), half)]
    plans += [Plan(0, epochs) for epochs in range(wanted.epochs, 0, -1)]
    return next((plan for plan in plans if cost(plan) <= budget_s), plans[-1])


def seconds(plan: Plan, num_tokens: int, tokens_per_s: float) -> float:
    """Time that a run takes, about."""
    return OVERHEAD * plan.passes() * num_tokens / tokens_per_s


def count_tokens(corpus: Corpus, config: TrainConfig, tokenizer: Tokenizer) -> int:
    """Tokens of all texts that are trained on, after the cut, about."""
    texts = corpus.train.texts
    some = texts[:: max(1, len(texts) // SAMPLE)]
    mean = np.mean([text.num_tokens for text in new_encoder(config, tokenizer).encode(some)])
    return round(float(mean) * (len(texts) + len(corpus.unlabeled)))


def measure_rate(
    config: TrainConfig, corpus: Corpus, tokenizer: Tokenizer, start: Start | None, session: Session
) -> float:
    """Tokens a second that a network of this run trains on; some steps of one that is thrown away."""
    train, encoder = corpus.train, new_encoder(config, tokenizer)
    rows = min(config.loop.batch_rows, max(SMALLEST_BATCH, len(train) // config.loop.min_steps))
    loop = config.loop.model_copy(update={"batch_rows": rows, "min_steps": 1})
    config = config.model_copy(update={"loop": loop})
    corpus = replace(corpus, train=train.take(range(0, len(train), max(1, len(train) // SAMPLE))), unlabeled=())
    network = new_network(config, corpus, tokenizer, start)
    trainer = new_trainer(
        network, encode_training(corpus, config.data, encoder), corpus, config, encoder, **session.place
    )
    steps = 0

    def enough() -> bool:
        nonlocal steps
        steps += 1
        return steps >= MEASURED_STEPS or trainer.seconds >= MEASURED_S

    trainer.run(should_stop=enough)
    return trainer.tokens_per_s


def _say(wanted: Plan, chosen: Plan, budget_s: float, cost: Callable[[Plan], float], console: Console) -> None:
    """Prints what the budget changed, and what more would take."""
    if chosen == wanted:
        return
    console.print(
        f"budget: {chosen}, about {format_duration(cost(chosen))} of {format_duration(budget_s)}; {wanted} would take "
        f"{format_duration(cost(wanted))}: --budget {-(-round(cost(wanted)) // 60)}m",
        highlight=False,
    )
