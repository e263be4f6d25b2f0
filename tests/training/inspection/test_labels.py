from collections.abc import Callable

import pytest

from tests.training.inspection.conftest import Make, Rows
from training.inspection.labels import check_fit, check_labels


def _relabelled(rows: Rows, label: Callable[[int, str], str]) -> Rows:
    return [(text, label(place, name)) for place, (text, name) in enumerate(rows)]


PLANTED: dict[str, tuple[Callable[[int, str], str], int]] = {
    "single_class": (lambda place, name: "good", 200),
    "own_label": (lambda place, name: f"name {place}", 200),
    "quantity": (lambda place, name: f"{place * 0.37:.2f}", 200),
    "similar_labels": (lambda place, name: "Good" if place == 4 else name, 1),
    "doubtful_label": (lambda place, name: "none" if place < 20 else name, 20),
    "rare_labels": (lambda place, name: "odd" if place == 4 else name, 1),
    "imbalance": (lambda place, name: "bad" if place < 10 else "good", 190),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_defect_is_counted_by_its_rows(kind: str, clean: Rows, material: Make) -> None:
    label, count = PLANTED[kind]
    found = {one.kind: one for one in check_labels(material(_relabelled(clean, label)))}
    assert found[kind].count == count
    assert found[kind].total == 200


def test_the_rarest_label_is_named_however_few_texts_it_has(clean: Rows, material: Make) -> None:
    rows = _relabelled(clean, lambda place, name: "bad" if place < 11 else "odd" if place < 14 else "good")
    (found,) = [one for one in check_labels(material(rows)) if one.kind == "imbalance"]
    assert found.detail == "'good'; the rarest, 'odd', has 3"


def test_nothing_is_found_in_clean_labels(clean: Rows, material: Make) -> None:
    held_out = clean[:100]
    assert list(check_labels(material(clean))) == []
    assert list(check_fit(material(clean, held_out))) == []


def test_grades_and_numbered_classes_are_no_quantity(clean: Rows, material: Make) -> None:
    for values in (5, 20):
        assert "quantity" not in {
            one.kind
            for one in check_labels(material(_relabelled(clean, lambda place, _, n=values: str(place % n))))  # type: ignore[misc]
        }


def test_few_rows_and_a_repeated_header_are_found(clean: Rows, material: Make) -> None:
    rows = [*clean[:50], ("Text", "label"), *clean[50:60]]
    found = {one.kind: one for one in check_labels(material(rows))}
    assert (found["few_rows"].count, found["header_row"].count) == (61, 1)
    assert found["header_row"].examples[0].row == 51


def test_held_out_files_are_compared_with_the_training_file(clean: Rows, material: Make) -> None:
    by_label = sorted(clean, key=lambda row: row[1])
    found = {one.kind: one for one in check_fit(material(by_label, [("a", "good"), ("b", "new")]))}
    assert found.keys() == {"unknown_label", "missing_label", "few_held_out", "sorted_labels"}
    assert "'new' (1)" in found["unknown_label"].detail
    assert (found["missing_label"].count, found["missing_label"].total, found["missing_label"].unit) == (1, 2, "labels")
    assert found["unknown_label"].severity == "problem"
    assert found["sorted_labels"].role == "train"


def test_the_order_of_a_file_is_not_mentioned_where_it_does_no_harm(clean: Rows, material: Make) -> None:
    by_label = sorted(clean, key=lambda row: row[1])
    assert list(check_fit(material(by_label, clean))) == []
