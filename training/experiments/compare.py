"""Comparison of methods on the same texts: the same splits, the same budget, the same figures.

Everything that is chosen is chosen on validation; the test texts are read once a fit, when nothing is left to choose.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from model.files import replace
from model.probabilities import probabilities
from training.config.request import Request
from training.data.choices import allowed_labels, among
from training.data.corpus import Corpus
from training.data.dataset import Dataset, truth_of
from training.errors import UsageError
from training.experiments.baselines import NBSVM, TFIDF
from training.experiments.comparison import Comparison, Outcome, by_method, print_table, write_markdown
from training.experiments.contender import Contender, FitContext, Fitted, Floats, Unavailable
from training.experiments.fasttext import FASTTEXT
from training.experiments.networks import CHANGES, NGRAMS, contender
from training.experiments.plots import draw_plots
from training.fit.progress import format_duration
from training.metrics.calibration import fit_temperature, fit_thresholds
from training.metrics.scores import Scores, score
from training.runs.plan import unfolded
from training.runs.train import read_texts

CONTENDERS = {entry.name: entry for entry in (TFIDF, NBSVM, FASTTEXT, *map(contender, (*CHANGES, NGRAMS)))}

RESULTS = "comparison.json"
TABLE = "comparison.md"

TIMED_S = 0.5
"""Seconds for which the rate of answers is measured."""


def run_comparison(
    request: Request,
    output: Path,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    budget_s: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    console: Console,
) -> Comparison:
    """Fits every method with every seed, and writes `comparison.json`, `comparison.md` and plots into `output`.

    Figures and table are written after each fit; with `resume` an interrupted comparison goes on after the last.

    Raises:
        UsageError: a name is unknown, or something stands at `output`; and as in `read_texts`.
    """
    chosen = select_methods(only)
    request = unfolded(request, console)
    config = request.config
    if config.start is not None:
        raise UsageError("compare trains every network from random weights; leave out start")
    corpus = read_texts(config, Path(request.data_root))
    comparison = Comparison.beginning(request, corpus, device=device, budget_s=budget_s)
    comparison = comparison.going_on(output / RESULTS, resume=resume, overwrite=overwrite)
    write_results(comparison, output)
    for warning in corpus.warnings:
        console.print(f"warning: {warning}", markup=False)
    for method, seed in [(each, seed) for each in chosen for seed in (seeds if each.seeded else (None,))]:
        if comparison.has(method.name, seed) or method.title in comparison.absent:
            continue
        with scratch_folder(output) as scratch:
            context = FitContext(
                request=request, corpus=corpus, device=device, budget_s=budget_s, scratch=scratch, console=console
            )
            comparison = with_fit(comparison, method, context, seed)
        write_results(comparison, output)
    if comparison.outcomes:
        draw_plots(by_method(comparison), output)
        print_table(console, comparison)
    return comparison


def select_methods(only: Sequence[str]) -> list[Contender]:
    """The methods of these names in the order of `CONTENDERS`; all if there are none.

    Raises:
        UsageError: a name is unknown.
    """
    for name in only:
        if name not in CONTENDERS:
            raise UsageError(f"no method '{name}'; there are {', '.join(CONTENDERS)}")
    return [method for name, method in CONTENDERS.items() if not only or name in only]


def write_results(comparison: Comparison, output: Path) -> None:
    """Writes the figures and the table."""
    replace(output / RESULTS, comparison.model_dump_json(indent=2) + "\n")
    replace(output / TABLE, write_markdown(comparison))


def with_fit(comparison: Comparison, method: Contender, context: FitContext, seed: int | None) -> Comparison:
    """Fits a method; returns the comparison with the outcome, or with the reason why there is none."""
    console = context.console
    console.print(f"{method.title}{'' if seed is None else f', seed {seed}'}", markup=False)
    began = time.perf_counter()
    try:
        fitted = method.fit(context, seed or 0)
    except Unavailable as error:
        console.print(f"  left out: {error}", markup=False)
        return comparison.model_copy(update={"absent": comparison.absent | {method.title: str(error)}})
    seconds = time.perf_counter() - began
    outcome = measure_outcome(method, fitted, context.corpus, seed=seed, seconds=seconds)
    console.print(f"  {describe_outcome(outcome)}", markup=False)
    places = {name: place for place, name in enumerate(CONTENDERS)}
    outcomes = sorted((*comparison.outcomes, outcome), key=lambda one: places.get(one.method, len(places)))
    return comparison.model_copy(update={"outcomes": tuple(outcomes)})


def measure_outcome(method: Contender, fitted: Fitted, corpus: Corpus, *, seed: int | None, seconds: float) -> Outcome:
    """Calibrates on validation, measures there, and reads the test texts once.

    Each text is judged among the labels of its set.
    """

    def logits(dataset: Dataset) -> Floats:
        return among(fitted.logits(dataset.texts), allowed_labels(dataset, corpus.labels))

    truth_NC, logits_NC = truth_of(corpus.calibration, corpus.labels), logits(corpus.calibration)
    weights_N = corpus.calibration.weights
    temperature = fit_temperature(logits_NC, truth_NC, task=corpus.task, weights_N=weights_N)
    thresholds = None
    if corpus.task == "multi_label":
        thresholds = fit_thresholds(
            probabilities(logits_NC.astype(float), task=corpus.task, temperature=temperature),
            truth_NC,
            weights_N=weights_N,
        )

    def figures(dataset: Dataset) -> Scores:
        p_NC = probabilities(logits(dataset).astype(float), task=corpus.task, temperature=temperature)
        truth_NC = truth_of(dataset, corpus.labels)
        return score(p_NC, truth_NC, corpus.labels, task=corpus.task, thresholds=thresholds)

    return Outcome(
        method=method.name,
        title=method.title,
        seed=seed,
        choice=fitted.choice,
        temperature=temperature,
        validation=figures(corpus.validation),
        test=None if corpus.test is None else figures(corpus.test),
        seconds=seconds,
        size_bytes=fitted.size_bytes,
        texts_per_s=measure_texts_per_s(fitted, corpus.validation.texts),
        unused=() if method.weighs else list_weighing(corpus.train),
    )


def list_weighing(train: Dataset) -> tuple[str, ...]:
    """The kinds of values beside texts and labels that a file has, and that not every method can learn from."""
    there = {"weights of texts": train.weights is not None, "probabilities of labels": train.shares is not None}
    return tuple(name for name, holds in there.items() if holds)


def measure_texts_per_s(fitted: Fitted, texts: list[str]) -> float:
    """Texts answered a second, measured over `TIMED_S` by giving the same texts again and again."""
    began, answered = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < TIMED_S:
        fitted.logits(texts)
        answered += len(texts)
    return answered / seconds


def describe_outcome(outcome: Outcome) -> str:
    """The figures of a fit in one line, for the terminal."""
    test = "" if outcome.test is None else f"test {outcome.test.accuracy:.4f}, "
    return (
        f"validation {outcome.validation.accuracy:.4f}, {test}{format_duration(outcome.seconds)}, "
        f"{outcome.size_bytes / 1e6:.1f} MB, {outcome.texts_per_s:,.0f} texts/s; {outcome.choice}"
    )


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """A folder for one fit, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix=".scratch.", dir=output))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
