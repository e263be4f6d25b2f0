from pathlib import Path

import numpy as np
import pytest

from model.text import Encoded
from tables.errors import MissingColumnError
from training.data.dataset import Dataset, read_dataset
from training.metrics.intervals import wilson_interval
from training.reporting.slices import cut, slice_all


def read(folder: Path, rows: list[tuple[str, str]]) -> Dataset:
    lines = [f'"{text}",{"ab"[i % 2]},{shop}' for i, (text, shop) in enumerate(rows)]
    (folder / "x.csv").write_text("\n".join(["text,label,shop", *lines]), encoding="utf-8")
    return read_dataset(folder / "x.csv", text_column="text", label_column="label")


def encoded(lengths: list[int], truncated: int = 0) -> list[Encoded]:
    ids = [np.zeros(length, dtype=np.int32) for length in lengths]
    return [Encoded(each, i < truncated) for i, each in enumerate(ids)]


def test_a_slice_says_on_which_side_of_the_others_it_lies() -> None:
    right = np.array([True] * 90 + [False] * 10 + [True] * 10 + [False] * 40 + [True] * 3 + [False])
    found = cut("kind", "", ["x"] * 100 + ["y"] * 50 + ["z"] * 4, right)
    assert [(one.value, one.texts, one.differs) for one in found.slices] == [
        ("x", 100, "better"),
        ("y", 50, "worse"),
        ("z", 4, None),
    ]
    assert found.slices[1].interval == wilson_interval(10, 50)
    (alone,) = cut("kind", "", ["x"] * 3, np.array([True, True, False])).slices
    assert alone.differs is None, "there are no others"


def test_lengths_are_cut_into_quarters_and_cut_texts_stand_apart(tmp_path: Path) -> None:
    data = read(tmp_path, [(f"text {i}", "") for i in range(40)])
    lengths, *_ = slice_all(data, encoded(list(range(1, 41)), truncated=2), np.ones(40, dtype=bool), ())
    assert [one.value for one in lengths.slices] == [
        "1 to 9 tokens", "10 to 19 tokens", "20 to 29 tokens", "30 to 40 tokens", "longer than the checkpoint reads",
    ]  # fmt: skip
    assert [one.texts for one in lengths.slices] == [7, 10, 10, 11, 2]
    same, *_ = slice_all(data, encoded([3] * 40), np.ones(40, dtype=bool), ())
    assert [one.value for one in same.slices] == ["3 tokens"]


def test_columns_scripts_and_languages_are_kinds(tmp_path: Path) -> None:
    english = "The weather was lovely and we walked along the river until the evening came"
    chinese = "这家酒店的服务很好房间也很干净早餐非常丰富下次来还会住在这里推荐给大家" * 2
    rows = [(english, "north")] * 20 + [(chinese, "")] * 20 + [("!!", f"s{i}") for i in range(25)]
    data = read(tmp_path, rows)
    found = {one.by: one for one in slice_all(data, encoded([1] * 65), np.ones(65, dtype=bool), ("shop",))}
    assert {one.value: one.texts for one in found["script"].slices} == {"no letters": 25, "Latin": 20, "Han": 20}
    assert {one.value: one.texts for one in found["language"].slices} == {"en": 20, "zh": 20}
    shops = {one.value: one.texts for one in found["shop"].slices}
    assert (shops["north"], shops["(empty)"], shops["other"]) == (20, 20, 7)
    assert found["shop"].about == "The 7 rarest values are joined as 'other'."
    with pytest.raises(MissingColumnError, match="no column 'colour'"):
        slice_all(data, encoded([1] * 65), np.ones(65, dtype=bool), ("colour",))
