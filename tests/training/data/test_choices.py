"""Texts of a mixture are judged among the labels of the set that they come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tables.errors import MissingColumnError
from training.data.choices import NEVER, allowed_labels, among, text_weights, with_choices
from training.data.config import DataConfig
from training.data.dataset import Dataset, read_dataset

LABELS = ("negative", "neutral", "positive")


def mixture(folder: Path) -> Dataset:
    path = folder / "mixed.csv"
    rows = [
        "a,negative,two",
        "b,positive,two",
        "c,neutral,facts",
        "d,neutral,three",
        "e,negative,three",
        "f,positive,three",
    ]
    path.write_text("text,label,source\n" + "\n".join(rows) + "\n")
    return read_dataset(path, text_column="text", label_column="label")


def test_a_set_of_two_labels_chooses_among_two_and_one_of_one_label_among_all(tmp_path: Path) -> None:
    allowed_NC = allowed_labels(with_choices(mixture(tmp_path), "source"), LABELS)
    assert allowed_NC.tolist() == [[True, False, True]] * 2 + [[True] * 3] * 4


def test_without_a_column_the_file_is_the_set_and_without_choices_all_labels_are_allowed(tmp_path: Path) -> None:
    two = mixture(tmp_path).take([0, 1])
    assert allowed_labels(two, LABELS).all()
    assert allowed_labels(with_choices(two), LABELS).tolist() == [[True, False, True]] * 2
    with pytest.raises(MissingColumnError, match="no column 'set'"):
        with_choices(two, "set")


def test_choices_go_with_their_texts(tmp_path: Path) -> None:
    chosen = with_choices(mixture(tmp_path), "source").take([3, 0])
    assert allowed_labels(chosen, LABELS).tolist() == [[True] * 3, [True, False, True]]


@pytest.mark.parametrize(("power", "wanted"), [(0.0, [1, 1, 2, 2 / 3, 2 / 3, 2 / 3]), (1.0, None)])
def test_a_source_counts_as_a_power_of_its_texts(power: float, wanted: list[float] | None, tmp_path: Path) -> None:
    mixed = mixture(tmp_path)  # sources of 2, 1 and 3 texts
    found = text_weights(mixed, DataConfig(source_column="source", source_power=power))
    assert wanted is None if found is None else found.tolist() == pytest.approx(wanted)


def test_between_the_ends_a_larger_source_counts_more_but_each_text_less(tmp_path: Path) -> None:
    half = text_weights(mixture(tmp_path), DataConfig(source_column="source", source_power=0.5))
    assert half is not None
    assert half.mean() == pytest.approx(1)
    assert half[:2].sum() / half[2] == pytest.approx(2**0.5)
    assert half[3:].sum() / half[2] == pytest.approx(3**0.5)


def test_sources_are_weighed_by_their_column_only() -> None:
    with pytest.raises(ValidationError, match=r"data\.source_column"):
        DataConfig(source_power=0.5)


def test_a_label_that_cannot_be_gets_no_probability() -> None:
    logits_NC = np.array([[1, 9, 0], [1, 9, 0]], dtype=np.float32)
    masked_NC = among(logits_NC, np.array([[True, False, True], [True, True, True]]))
    assert masked_NC.tolist() == [[1, NEVER, 0], [1, 9, 0]]
    assert among(logits_NC, None) is logits_NC


def test_a_text_has_its_own_weight_times_that_of_its_set(tmp_path: Path) -> None:
    mixed = mixture(tmp_path)
    own = np.arange(1, len(mixed) + 1, dtype=np.float32)
    weighted = replace(mixed, weights=own)
    config = DataConfig(source_column="source", source_power=0.5)
    of_sets, both = text_weights(mixed, config), text_weights(weighted, config)
    assert of_sets is not None
    assert both is not None
    assert both.tolist() == pytest.approx((own * of_sets / (own * of_sets).mean()).tolist())
    alone = text_weights(weighted, DataConfig())
    assert alone is not None
    assert alone.tolist() == pytest.approx((own / own.mean()).tolist())
    assert text_weights(mixed, DataConfig()) is None
    huge = text_weights(replace(mixed, weights=np.full(len(mixed), 2e38, np.float32)), DataConfig())
    assert huge is not None
    assert huge.tolist() == pytest.approx([1.0] * len(mixed))
