import dataclasses

import pytest

from tables.errors import Row
from tables.reading import Places
from tests.training.inspection.conftest import Make, Rows
from training.inspection.material import Material
from training.inspection.rows import check_contents, check_left_out


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("missing_word", ["N/A", " null ", "[deleted]", "无"]),
        ("number_only", ["12.5", "2014-05-12", "$1,000"]),
        ("no_letters", ["👍👍", ":-)", "..."]),
    ],
)
def test_texts_without_words_are_found(kind: str, texts: list[str], clean: Rows, material: Make) -> None:
    rows = [*clean, *((text, "good") for text in texts)]
    (found,) = check_contents(material(rows))
    assert (found.kind, found.count) == (kind, len(texts))
    assert found.examples[0].row == 201


def test_nothing_is_found_in_clean_rows(clean: Rows, material: Make) -> None:
    assert [*check_contents(material(clean)), *check_left_out(material(clean))] == []


def test_a_column_of_few_different_texts_is_found(clean: Rows, material: Make) -> None:
    (found,) = check_contents(material([(clean[place % 5][0], label) for place, (_, label) in enumerate(clean)]))
    assert (found.kind, found.severity, found.detail) == ("constant_text", "problem", "5 different ones")


def test_rows_that_were_left_out_are_given_with_their_places(clean: Rows, material: Make) -> None:
    whole = material(clean)
    places = Places(20, [Row(7, 8), Row(9, 10)])
    dataset = dataclasses.replace(
        whole.dataset, without_text=places, without_label=Places(2), weightless=Places(3), misread=Places(1)
    )
    found = list(check_left_out(Material("train", dataset, {}, whole.tokenizer)))
    assert [(one.kind, one.count, one.total, one.severity) for one in found] == [
        ("without_text", 20, 225, "look"),
        ("without_label", 2, 225, "note"),
        ("weightless", 3, 225, "note"),
        ("misread", 1, 225, "look"),
    ]
    assert [(one.row, one.line, one.text) for one in found[0].examples] == [(7, 8, ""), (9, 10, "")]
