"""Searches for settings within a time, by validation alone: no test file is read.

The settings as given are trained first, in full, so what is found is never worse than they are on validation.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from tokenizers import Tokenizer

from model.device import resolve_device
from model.files import replace
from training.config.config import TrainConfig, build_config, nest, to_toml
from training.config.request import Request
from training.data.corpus import Corpus
from training.data.tokenizer import TokenizerConfig, train_tokenizer
from training.errors import DivergedError, UsageError
from training.experiments.halving import AS_GIVEN, PlannedTrial, Trial, count_rungs, epochs_on, plan_next
from training.experiments.space import Space, describe_space, draw
from training.experiments.tuning import Tuning, describe_best, describe_settings, write_markdown
from training.fit.progress import format_duration, show_progress
from training.metrics.scores import measure
from training.runs.blend import with_ngrams
from training.runs.classifier import encode_examples, new_encoder
from training.runs.plan import unfolded
from training.runs.train import build_trainer, read_texts

RESULTS = "tuning.json"
TABLE = "tuning.md"
BEST = "best.toml"


def run_search(
    request: Request,
    space: Space,
    output: Path,
    *,
    budget_s: float,
    should_stop: Callable[[], bool],
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    console: Console,
) -> bool:
    """Searches, and writes `tuning.json`, `tuning.md` and `best.toml` into `output`, anew after each trial.

    A trial that is not finished in time, or when `should_stop()`, is given up; with `resume` the search goes on after
    the last finished one, whose seconds and those before it count. Drawn settings that diverge are noted as such.

    Returns:
        True when the time is up; False if `should_stop()` ended the search first.

    Raises:
        UsageError, DivergedError: something stands at `output`; the settings as given diverge; and as in `read_texts`.
    """
    request = unfolded(request, console)
    config, corpus = read_untested(request)
    tuning = Tuning.beginning(
        request,
        corpus,
        device=device,
        metric=config.metric,
        budget_s=budget_s,
        num_rungs=count_rungs(config.loop.epochs),
        space=json.loads(json.dumps(describe_space(space))),
    )
    tuning = tuning.going_on(output / RESULTS, resume=resume, overwrite=overwrite)
    write_results(tuning, request.config, output)
    for warning in corpus.warnings:
        console.print(f"warning: {warning}", markup=False)
    trials = Trials(config, corpus, space, device=resolve_device(device), console=console)
    deadline = time.monotonic() + budget_s - tuning.seconds
    while not (stopped := should_stop()) and (left := deadline - time.monotonic()) > 0:
        plan = plan_next(tuning.trials, tuning.num_rungs)
        console.print(f"{trials.describe(plan)}; {format_duration(left)} left", markup=False, highlight=False)
        if trial := trials.run(plan, lambda: should_stop() or time.monotonic() > deadline):
            tuning = tuning.model_copy(update={"trials": (*tuning.trials, trial)})
            write_results(tuning, request.config, output)
            console.print(f"  {describe_trial(trial, tuning)}", markup=False, highlight=False)
    for line in describe_best(tuning):
        console.print(line, markup=False, highlight=False)
    return not stopped


def read_untested(request: Request) -> tuple[TrainConfig, Corpus]:
    """Reads the texts of a configuration without its test files; returns both.

    Raises:
        UsageError: the configuration has a start; and as in `read_texts`.
    """
    config = request.config
    if config.start is not None:
        raise UsageError("tune searches the architecture, which pre-trained layers fix; leave out start")
    untested = config.data.model_copy(update={"test": None, "tests": None})
    config = config.model_copy(update={"data": untested})
    return config, read_texts(config, Path(request.data_root))


class Trials:
    """Trains and scores settings of a space on a corpus.

    Args:
        config: the settings as given; others are drawn over them.
        corpus: `train` to learn from, `stopping` to pick the weights and `validation` to score.
        space: what the settings are drawn from.
        device: of the networks.
        console: for a person to watch.
    """

    def __init__(
        self, config: TrainConfig, corpus: Corpus, space: Space, *, device: torch.device, console: Console
    ) -> None:
        self._config, self._corpus, self._space = config, corpus, space
        self._device, self._console = device, console
        self._num_rungs = count_rungs(config.loop.epochs)
        self._tokenizers: dict[TokenizerConfig, Tokenizer] = {}

    def settings(self, number: int) -> dict[str, Any]:
        """The settings of this number that are not as given, by dotted key."""
        return {} if number == AS_GIVEN else draw(self._space, seed=self._config.seed, number=number)

    def describe(self, plan: PlannedTrial) -> str:
        """The trial that is about to be trained, in a line."""
        settings = describe_settings(plan.number, self.settings(plan.number))
        return f"trial {plan.number}, up to {self._config_of(plan).loop.epochs} epochs: {settings}"

    def run(self, plan: PlannedTrial, should_stop: Callable[[], bool]) -> Trial | None:
        """Trains and scores a trial; None if it was stopped.

        Raises:
            DivergedError: with the settings as given a gradient is not finite.
        """
        began, config = time.perf_counter(), self._config_of(plan)
        try:
            score = self._score(config, should_stop)
        except DivergedError:
            if plan.number == AS_GIVEN:
                raise
            score, diverged = 0.0, True
        else:
            diverged = False
        if score is None:
            return None
        return Trial(
            number=plan.number,
            rung=plan.rung,
            epochs=config.loop.epochs,
            settings=self.settings(plan.number),
            score=score,
            seconds=time.perf_counter() - began,
            diverged=diverged,
        )

    def _score(self, config: TrainConfig, should_stop: Callable[[], bool]) -> float | None:
        """Trains, and scores on all validation texts, with the n-grams beside the network, as `train` would publish it.

        Returns:
            None if it was stopped.

        Raises:
            DivergedError: a gradient is not finite.
        """
        corpus, tokenizer = self._corpus, self._tokenizer(config.tokenizer)
        trainer = build_trainer(config, corpus, tokenizer, device=self._device)
        with show_progress(self._console, metric=config.metric) as show:
            if not trainer.run(lambda progress: show(progress, ()), should_stop):
                return None
        network = with_ngrams(trainer, corpus, tokenizer, config, Console(quiet=True))
        examples = encode_examples(corpus.validation, corpus, new_encoder(config, tokenizer))
        return measure(config.metric, corpus.task)(trainer.logits(examples, network), examples.targets)

    def _config_of(self, plan: PlannedTrial) -> TrainConfig:
        config = with_settings(self._config, self.settings(plan.number))
        epochs = epochs_on(plan.rung, num_rungs=self._num_rungs, epochs=config.loop.epochs)
        return config.model_copy(update={"loop": config.loop.model_copy(update={"epochs": epochs})})

    def _tokenizer(self, config: TokenizerConfig) -> Tokenizer:
        if config not in self._tokenizers:
            self._tokenizers[config] = train_tokenizer(config, self._corpus.training_texts)
        return self._tokenizers[config]


def with_settings(config: TrainConfig, settings: dict[str, Any]) -> TrainConfig:
    """The configuration with other values by dotted key."""
    return build_config(config.model_dump(), nest(settings))


def write_results(tuning: Tuning, config: TrainConfig, output: Path) -> None:
    """Writes the trials, the table, and the settings as given with those of the best trial over them."""
    replace(output / RESULTS, tuning.model_dump_json(indent=2) + "\n")
    replace(output / TABLE, write_markdown(tuning))
    best = tuning.best
    replace(output / BEST, to_toml(with_settings(config, best.settings if best else {})))


def describe_trial(trial: Trial, tuning: Tuning) -> str:
    """The score of a trial in one line, for the terminal."""
    best = tuning.best or trial
    result = "diverged" if trial.diverged else f"validation {tuning.metric} {trial.score:.4f}"
    return f"{result} in {format_duration(trial.seconds)}; best in full {best.score:.4f} (trial {best.number})"
