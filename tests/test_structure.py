"""The layout is held to figures: sizes of folders and functions, the tests' mirror, plain docstrings."""

from pathlib import Path

import pytest

from benchmarks.lib.structure import RIDDLE, Checkout

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def checkout() -> Checkout:
    return Checkout(ROOT)


@pytest.mark.parametrize(("package", "most"), [("app", 3), ("training", 6)])
def test_few_files_stand_outside_of_folders(package: str, most: int) -> None:
    assert len(list((ROOT / package).glob("*.py"))) <= most


@pytest.mark.parametrize("package", ["app", "training", "model", "tables"])
def test_folders_import_one_another_in_one_direction(checkout: Checkout, package: str) -> None:
    assert checkout.circles(package) == 0


def test_each_test_file_mirrors_a_source_file(checkout: Checkout) -> None:
    assert checkout.without_place() == []


def test_no_test_replaces_a_clock_or_the_wish_to_stop(checkout: Checkout) -> None:
    assert checkout.patched_clocks() == []


def test_docstrings_begin_with_a_plain_sentence(checkout: Checkout) -> None:
    assert list(checkout.riddles()) == []


def test_the_rule_for_docstrings_can_fail() -> None:
    assert RIDDLE.match("Whether a text is long.")
    assert not RIDDLE.match("True if a text is long.")


def test_functions_stay_short(checkout: Checkout) -> None:
    assert checkout.functions[0].lines <= 60, checkout.functions[0]
    assert sum(function.lines > 50 for function in checkout.functions) <= 2
    assert next(function.lines for function in checkout.functions if function.name == "create_app") <= 30


def test_parts_of_the_server_take_only_their_settings(checkout: Checkout) -> None:
    assert len(checkout.takers_of_settings()) <= 3
    assert checkout.loaded_by_settings() <= 6
