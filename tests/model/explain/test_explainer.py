"""Texts in, explanations out."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.checkpoint import Checkpoint, load_checkpoint
from model.classifier import Classifier
from model.errors import ConfigError, InputError
from model.explain.explainer import Explainer
from model.explain.explanation import MAX_UNITS, Explanation, Options, Unexplained
from tests.conftest import make_checkpoint

SHIPPED = Path(__file__).parents[3] / "checkpoints" / "sentiment"

TEXTS = ["  A good film. But boring…", "这电影很好看。难看😀", "", "don't " * 40]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return make_checkpoint(labels=("bad", "fair", "good"))


@pytest.fixture(scope="module")
def explainer(checkpoint: Checkpoint) -> Explainer:
    return Explainer(checkpoint)


PLAIN = Options(occlusion=False, sentences=False)


def _explained(found: list[Explanation | Unexplained]) -> list[Explanation]:
    return [msgspec.convert(msgspec.to_builtins(one), Explanation) for one in found]


def _multi_label(checkpoint: Checkpoint) -> Checkpoint:
    return dataclasses.replace(checkpoint, config=checkpoint.config.model_copy(update={"task": "multi_label"}))


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_label_and_its_score_are_the_classifier_s(checkpoint: Checkpoint, multi_label: bool) -> None:
    checkpoint = _multi_label(checkpoint) if multi_label else checkpoint
    served = Classifier(checkpoint, device="cpu").predict(TEXTS)
    for row, one in zip(served, _explained(Explainer(checkpoint).explain(TEXTS, PLAIN)), strict=True):
        assert one.label == ("bad", "fair", "good")[row.argmax()]
        assert one.score == pytest.approx(row.max(), abs=1e-5)
        assert [s.score for s in one.scores] == pytest.approx(sorted(row, reverse=True), abs=1e-5)
        assert one.scores[0].label == one.label
        assert one.attribution.value == pytest.approx(np.log(row.max() / (1 - row.max())), abs=1e-4)


def test_tokens_and_words_stand_where_the_text_has_them(explainer: Explainer) -> None:
    for text, one in zip(TEXTS, _explained(explainer.explain(TEXTS, Options(sentences=False))), strict=True):
        for part in [*one.attribution.tokens, *one.attribution.words]:
            assert part.text == text[part.start : part.end] != ""
            assert part.occlusion is not None
        assert one.tokens == len(one.attribution.tokens)
        sums = [sum(part.score for part in parts) for parts in (one.attribution.tokens, one.attribution.words)]
        difference = one.attribution.value - one.attribution.baseline
        assert sums == pytest.approx([difference] * 2, rel=0.011, abs=1e-4)
        assert 0 <= one.attribution.gap <= 0.01
    words = _explained(explainer.explain(TEXTS[:1], PLAIN))[0].attribution.words
    assert [word.text for word in words] == ["A", "good", "film", ".", "But", "boring", "…"]


def test_a_label_can_be_chosen(explainer: Explainer) -> None:
    (best,) = _explained(explainer.explain(TEXTS[:1], PLAIN))
    for label in explainer.labels:
        (one,) = _explained(explainer.explain(TEXTS[:1], Options(label=label, occlusion=False, sentences=False)))
        assert one.label == label
        assert one.score == {s.label: s.score for s in best.scores}[label]
        assert (one == best) == (label == best.label)


def test_a_word_s_occlusion_leaves_the_whole_word_out(explainer: Explainer, checkpoint: Checkpoint) -> None:
    text = "good 💩 film"
    (one,) = _explained(explainer.explain([text], Options(sentences=False)))
    face = one.attribution.words[1]
    assert sum(part.start == face.start for part in one.attribution.tokens) > 1
    p = Classifier(checkpoint, device="cpu").predict([text, "good film"])[:, explainer.labels.index(one.label)]
    with_, without = np.log(p / (1 - p))
    assert face.occlusion == pytest.approx(with_ - without, abs=1e-4)


def test_each_sentence_is_scored_as_a_text_of_its_own(explainer: Explainer, checkpoint: Checkpoint) -> None:
    for text, one in zip(TEXTS, _explained(explainer.explain(TEXTS, Options(occlusion=False))), strict=True):
        assert one.sentences is not None
        for sentence in one.sentences:
            assert sentence.text == text[sentence.start : sentence.end]
            (row,) = Classifier(checkpoint, device="cpu").predict([sentence.text])
            assert sentence.label == explainer.labels[row.argmax()]
            assert sentence.score == pytest.approx(row.max(), abs=1e-5)
    (first, _, empty, _) = _explained(explainer.explain(TEXTS, Options(occlusion=False)))
    assert [s.text for s in first.sentences or []] == ["A good film.", "But boring…"]
    assert empty.sentences == []


def test_sentences_end_where_reading_ends(explainer: Explainer) -> None:
    (one,) = _explained(explainer.explain(["don't go. " * 40], Options(occlusion=False)))
    assert one.truncated
    assert one.sentences is not None
    assert one.sentences[-1].end == one.attribution.tokens[-1].end


def test_gates_have_a_number_a_token_and_the_units_asked_for(explainer: Explainer) -> None:
    for one in _explained(explainer.explain(TEXTS, Options(gates=True))):
        assert one.gates is not None
        assert [(layer.layer, layer.direction) for layer in one.gates] == [(0, "forward"), (0, "backward")]
        for layer in one.gates:
            assert layer.units is None
            for numbers in msgspec.to_builtins(layer.mean).values():
                assert len(numbers) == one.tokens
    (one,) = _explained(explainer.explain(TEXTS[:1], Options(units=list(range(6)))))
    assert one.gates is not None
    for layer in one.gates:
        assert [unit.unit for unit in layer.units or []] == list(range(6))
        means = np.mean([unit.forget or [] for unit in layer.units or []], axis=0)
        assert layer.mean.forget == pytest.approx(means, abs=1e-5)


def test_what_was_not_asked_for_is_not_there(explainer: Explainer) -> None:
    (one,) = _explained(explainer.explain(TEXTS[:1], PLAIN))
    assert (one.sentences, one.gates, one.attribution.tokens[0].occlusion) == (None, None, None)


def test_a_text_too_long_to_explain_does_not_spoil_its_neighbours(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.explain.explainer.MAX_TOKENS", 5)
    explainer = Explainer(checkpoint)
    assert explainer.max_tokens == 5
    first, second, third = explainer.explain(["good film", TEXTS[3], "film"], PLAIN)
    assert isinstance(second, Unexplained)
    assert second.error.type == "text_too_long"
    assert second.error.detail == "The text has 32 tokens; at most 5 can be explained."
    assert [first, third] == explainer.explain(["good film", "film"], PLAIN)


def test_tokens_are_counted_without_computing(explainer: Explainer) -> None:
    assert explainer.num_tokens(TEXTS)[2:] == [0, 32]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(label="none"), "no such label"),
        (Options(units=[6]), "0 to 5"),
        (Options(units=[-1]), "0 to 5"),
        (Options(units=[0] * (MAX_UNITS + 1)), "at most 8"),
    ],
)
def test_a_wrong_call_is_refused(explainer: Explainer, options: Options, says: str) -> None:
    with pytest.raises(InputError, match=says):
        explainer.explain(["film"], options)


def test_a_wrong_setting_is_refused(checkpoint: Checkpoint) -> None:
    for settings_ in ({"steps": 0}, {"threads": 0}, {"device": "abacus"}):
        with pytest.raises(ConfigError):
            Explainer(checkpoint, **settings_)
    with pytest.raises(ConfigError, match="nothing to explain"):
        Explainer(make_checkpoint(labels=("only",)))


def test_no_texts_have_no_explanations(explainer: Explainer) -> None:
    assert explainer.explain([], PLAIN) == []


FAST = Explainer(make_checkpoint(), steps=2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.one_of(st.characters(), st.characters(categories=["Cs"])), max_size=12), max_size=3))
def test_every_string_is_explained(texts: list[str]) -> None:
    found = FAST.explain(texts, Options(gates=True, units=[0]))
    assert len(msgspec.to_builtins(found)) == len(texts)


@pytest.fixture(scope="module")
def shipped() -> Explainer:
    return Explainer(load_checkpoint(SHIPPED))


def test_the_shipped_checkpoint_tells_why(shipped: Explainer) -> None:
    good, bad = _explained(shipped.explain(["A gripping film, never dull.", "这家酒店太脏了，很失望。"], Options()))
    assert (good.label, bad.label) == ("positive", "negative")
    best = [sorted(one.attribution.words, key=lambda word: -word.score)[:3] for one in (good, bad)]
    assert "gripping" in {word.text for word in best[0]}
    assert {"脏", "失", "望"} & {word.text for word in best[1]}
    for one in (good, bad):
        assert one.attribution.gap < 0.01
        ours, other = ([getattr(word, name) for word in one.attribution.words] for name in ("score", "occlusion"))
        assert np.corrcoef(ours, other)[0, 1] > 0.5
