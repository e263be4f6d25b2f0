"""Each network of the comparison differs from the bidirectional LSTM in what its name says, and trains."""

from pathlib import Path

import pytest

from tests.training.conftest import TINY
from tests.training.experiments.test_baselines import make_setting
from training.config.config import build_config, flatten
from training.data.tokenizer import train_tokenizer
from training.experiments.networks import CHANGES, NGRAMS, changed, contender, shortened

SETTINGS = [word for word in TINY if word != "--set"]


@pytest.mark.parametrize("name", CHANGES)
def test_one_thing_is_changed_and_everything_else_is_as_set(name: str) -> None:
    config = build_config({"architecture": {"hidden_size": 7, "pooling": "max", "num_layers": 3, "cell": "gru"}})
    plain, other = flatten(changed(config, "bilstm", 5)), flatten(changed(config, name, 5))
    differing = {key.removeprefix("architecture.") for key in plain if plain[key] != other[key]}
    assert differing == CHANGES[name][1].keys()
    assert (other["seed"], other["architecture.hidden_size"]) == (5, 7)
    assert (plain["architecture.cell"], plain["architecture.num_layers"]) == ("lstm", 1)


def test_only_one_has_n_grams_beside_it() -> None:
    config = build_config({})
    plain, with_them = flatten(changed(config, "bilstm", 0)), flatten(changed(config, NGRAMS, 0))
    assert {key for key in plain if plain[key] != with_them[key]} == {"ngrams.buckets"}
    assert (plain["ngrams.buckets"], with_them["ngrams.buckets"]) == (0, config.ngrams.buckets)


@pytest.mark.parametrize("name", [*CHANGES, NGRAMS])
def test_each_learns_which_words_tell(name: str, reviews: Path, tmp_path: Path) -> None:
    context = make_setting(tmp_path, reviews / "train.csv", *SETTINGS)
    fitted = contender(name).fit(context, 0)
    logits = fitted.logits(["a superb film", "an awful film"])
    assert logits.argmax(1).tolist() == [context.corpus.labels.index(label) for label in ("good", "bad")]
    assert fitted.size_bytes == sum(path.stat().st_size for path in (tmp_path / "checkpoint").iterdir())
    assert fitted.choice == "best of 5 epochs"


def test_a_budget_means_fewer_epochs_but_at_least_one(reviews: Path, tmp_path: Path) -> None:
    context = make_setting(tmp_path, reviews / "train.csv", *SETTINGS)
    config = changed(context.request.config, "bilstm", 0)
    tokenizer = train_tokenizer(config.tokenizer, context.corpus.train.texts)
    assert shortened(config, context, tokenizer, budget_s=1e-6).loop.epochs == 1
    assert shortened(config, context, tokenizer, budget_s=1e6).loop.epochs == config.loop.epochs
    assert contender("average").fit(make_setting(tmp_path, reviews / "train.csv", *SETTINGS, budget_s=0.01), 0).choice
