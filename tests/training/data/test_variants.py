import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.variants import AugmentConfig, WordClasses, augment, split_units, vary

NOUNS, VERBS = ("film", "movie", "plot", "cast"), ("moves", "bores", "charms", "fails")
TEXTS = [f"the {noun} {verb} us ." for noun in NOUNS for verb in VERBS for _ in range(3)]
KEEP = AugmentConfig(drop=0, swap=0, crop=0, classes=4)


@pytest.fixture(scope="module")
def classes() -> WordClasses:
    return WordClasses(TEXTS, num_classes=4, seed=0)


@given(st.text())
def test_units_put_together_are_the_text(text: str) -> None:
    assert "".join(split_units(text)) == text


def test_units_are_words_chinese_characters_and_marks() -> None:
    assert split_units("I didn't, 不好! 10/10") == ["I", " didn't", ",", " 不", "好", "!", " 10", "/", "10"]


def test_words_with_the_same_neighbours_share_a_class(classes: WordClasses) -> None:
    for group in (NOUNS, VERBS):
        assert all(classes.same_class(group[0], word) for word in group)
    assert not classes.same_class("film", "moves")


def test_a_word_is_swapped_only_within_its_class(classes: WordClasses) -> None:
    rng = np.random.default_rng(0)
    assert {classes.another("film", rng) for _ in range(100)} == set(NOUNS)
    assert classes.another("unheard-of", rng) == "unheard-of"
    assert classes.another(".", rng) == "."


def test_texts_with_too_few_words_have_no_classes() -> None:
    assert WordClasses(["a"], num_classes=4, seed=0).another("a", np.random.default_rng(0)) == "a"


def test_without_chances_a_variant_is_its_text(classes: WordClasses) -> None:
    assert (
        augment(["the film, bores us"], classes, KEEP, variants=2, rng=np.random.default_rng(0))
        == ["the film, bores us"] * 2
    )


def test_every_word_dropped_leaves_nothing(classes: WordClasses) -> None:
    config = KEEP.model_copy(update={"drop": 1.0})
    assert augment(["the film"], classes, config, variants=3, rng=np.random.default_rng(0)) == []


def test_a_swap_keeps_the_white_space(classes: WordClasses) -> None:
    config = KEEP.model_copy(update={"swap": 1.0})
    words = vary(split_units("the film\tmoves"), classes, config, np.random.default_rng(0))
    head, last = words.split("\t")
    assert head.split(" ")[1] in NOUNS
    assert last in VERBS


def test_a_crop_is_a_run_of_the_text_within_its_bounds(classes: WordClasses) -> None:
    text = "one two three four five six seven"
    config = KEEP.model_copy(update={"crop": 1.0, "crop_min": 2, "crop_max": 4})
    crops = augment([text], classes, config, variants=200, rng=np.random.default_rng(0))
    assert all(crop in text for crop in crops)
    assert {len(crop.split()) for crop in crops} == {2, 3, 4}
    assert {crop.split()[0] for crop in crops} >= {"one", "two", "six"} - {"seven"}


def test_shares_of_dropped_and_swapped_words_are_as_asked(classes: WordClasses) -> None:
    config = KEEP.model_copy(update={"drop": 0.2, "swap": 0.3})
    units = ["film"] * 20_000
    made = "".join(f" {unit}" for unit in [vary(units, classes, config, np.random.default_rng(0))])
    kept = sum(made.count(noun) for noun in NOUNS)
    assert kept / 20_000 == pytest.approx(0.8, abs=0.02)
    assert (kept - made.count("film")) / 20_000 == pytest.approx(0.3 * 3 / 4, abs=0.02)


def test_the_same_seed_gives_the_same_variants(classes: WordClasses) -> None:
    config = AugmentConfig(classes=4)

    def make(seed: int) -> list[str]:
        return augment(
            TEXTS, WordClasses(TEXTS, num_classes=4, seed=0), config, variants=3, rng=np.random.default_rng(seed)
        )

    assert make(1) == make(1)
    assert make(1) != make(2)
