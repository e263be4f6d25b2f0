"""The folds and passes of a run, and what a budget leaves of them."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console

from training.artifacts.run_folder import RunFolder
from training.config.config import build_config
from training.config.layers import ENCODER
from training.config.request import CallOptions, Request, resumed_request
from training.config.start import Start, load_start
from training.data.corpus import read_corpus
from training.errors import UsageError
from training.fit.parallel import Processes
from training.runs.plan import FOLDS, OVERHEAD, Plan, choose_folds, count_tokens, fitted, within
from training.runs.session import Session
from training.runs.train import begin


@pytest.fixture(scope="module")
def encoder() -> Start:
    return load_start(ENCODER)


def session(output: Path) -> Session:
    return Session(output=output, device="cpu", console=Console(quiet=True))


def test_few_texts_have_folds_where_a_start_can_be_fitted_to_each(reviews: Path, encoder: Start) -> None:
    config = build_config({"data": {"train": str(reviews / "train.csv")}})
    corpus = read_corpus(config.data, seed=0, data_root=reviews)
    assert choose_folds(config, corpus, encoder, session(reviews / "m")) == FOLDS
    assert choose_folds(config, corpus, None, session(reviews / "m")) == 0
    for other in ({"data": {"validation": "v.csv"}}, {"semi": {"entropy": 1}}, {"data": {"folds": 0}}):
        assert choose_folds(build_config(config.model_dump(), other), corpus, encoder, session(reviews / "m")) == 0
    asked = build_config(config.model_dump(), {"data": {"folds": 3}})
    assert choose_folds(asked, corpus, encoder, session(reviews / "m")) == 3
    with pytest.raises(UsageError, match=r"data\.folds=3: networks can be averaged only .*; leave it out"):
        choose_folds(asked, corpus, None, session(reviews / "m"))


def test_one_fold_is_refused() -> None:
    with pytest.raises(UsageError, match=r"data: .*folds is 0 for none, or at least 2"):
        build_config({"data": {"folds": 1}})


def test_few_different_texts_have_no_folds_unless_asked_for(tmp_path: Path, encoder: Start) -> None:
    file = tmp_path / "train.csv"
    config = build_config({"data": {"train": str(file)}})
    for different, folds in ((2 * FOLDS - 1, 0), (2 * FOLDS, FOLDS)):
        rows = "".join(f"word{i % different},{'xy'[i % different % 2]}\n" for i in range(60))
        file.write_text("text,label\n" + rows, encoding="utf-8")
        corpus = read_corpus(config.data, seed=0, data_root=tmp_path)
        assert choose_folds(config, corpus, encoder, session(tmp_path / "m")) == folds


def test_a_budget_takes_passes_before_folds_and_leaves_one_pass() -> None:
    def cost(plan: Plan) -> float:
        return plan.passes()

    wanted = Plan(5, 5)
    assert wanted.passes() == 20
    plans = [within(budget, wanted, cost) for budget in (20, 19, 11, 5, 2, 0.5)]
    assert plans == [wanted, Plan(5, 3), Plan(3, 3), Plan(0, 5), Plan(0, 2), Plan(0, 1)]
    assert within(4, Plan(0, 10), cost) == Plan(0, 4)


@dataclass
class Slow:
    """Stands in for the measurement: a machine of this many tokens a second."""

    rate: float

    def __call__(self, *_: object) -> float:
        return self.rate


def test_the_request_holds_what_was_decided_and_a_person_is_told(
    reviews: Path, tmp_path: Path, encoder: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CallOptions(
        output=tmp_path / "m", data_root=reviews, train_file=reviews / "train.csv", start=ENCODER, adapt=True
    )
    request = call.request()
    assert request.budget_s == 300
    corpus = read_corpus(request.config.data, seed=0, data_root=reviews)
    console = Console(record=True, width=200)
    around = Session(output=tmp_path / "m", device="cpu", console=console)
    found, folded = fitted(request, corpus, encoder.tokenizer, encoder, around)
    assert (found.config.data.folds, found.config.loop.epochs, found.cut) == (FOLDS, 5, False)
    assert folded.fold_N is not None
    assert len(folded.train) == 120
    assert console.export_text() == ""
    tokens = count_tokens(corpus, request.config, encoder.tokenizer)
    monkeypatch.setattr("training.runs.plan.measure_rate", Slow(OVERHEAD * tokens * 2 / 300))
    monkeypatch.setattr("training.runs.plan.SLOWEST", 1e-3)
    found, folded = fitted(request, corpus, encoder.tokenizer, encoder, around)
    assert (found.config.data.folds, found.config.loop.epochs, found.cut) == (0, 2, True)
    assert folded is corpus
    assert (
        "budget: 2 passes, about 5:00 of 5:00; 5 passes of 5 folds would take 50:00: --budget 50m"
        in console.export_text()
    )
    several = replace(around, processes=Processes(rank=0, count=2))
    found, _ = fitted(request, corpus, encoder.tokenizer, encoder, several)
    assert (found.config.data.folds, found.config.loop.epochs, found.cut) == (0, 5, False)
    assert "5 passes: --budget shortens runs of one process only; --set loop.epochs=N" in console.export_text()


def test_a_budget_takes_folds_that_were_asked_for(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.runs.plan.measure_rate", Slow(1.0))
    monkeypatch.setattr("training.runs.plan.SLOWEST", 1e-3)
    call = CallOptions(
        output=tmp_path / "m",
        data_root=reviews,
        train_file=reviews / "train.csv",
        start=ENCODER,
        settings=("data.folds=3", "report=false"),
        budget_s=1.0,
    )
    run = begin(call.request(), session(tmp_path / "m"))
    assert run.corpus.fold_N is None
    assert (len(run.corpus.train), len(run.corpus.validation)) == (108, 12)
    assert RunFolder(tmp_path / "m").request(Request).config.data.folds == 0


def test_the_same_call_resumes_a_run_of_which_the_texts_decided_something(reviews: Path, tmp_path: Path) -> None:
    call = CallOptions(output=tmp_path / "m", data_root=reviews, train_file=reviews / "train.csv", adapt=True)
    run = begin(call.request(), session(tmp_path / "m"))
    stored = RunFolder(tmp_path / "m").request(Request)
    assert stored.config == run.request.config
    assert (stored.config.start, stored.config.data.folds) == (str(ENCODER), FOLDS)
    assert resumed_request(stored, call) == stored
    with pytest.raises(UsageError, match=r"these differ: loop\.epochs \(was 10, now 3\)"):
        resumed_request(stored, replace(call, settings=("loop.epochs=3",)))
