import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tables.errors import Row, TableError
from tables.labels import LabelRules, Labels, Names, read_labels, read_texts
from tables.parquet import write_parquet
from tables.reader import Column, read_columns
from tables.reading import Reading
from tests.tables.samples import write


def column(*values: object) -> Column:
    rows = [Row(number + 1) for number in range(len(values))]
    return Column(Path("a.csv"), "label", list(values), rows, [Reading(Path("a.csv"))])


def labels_in(path: Path, name: str = "label") -> Labels:
    (found,) = read_columns(path, [name])
    return read_labels(found)


def labels(*values: object, **rules: object) -> Labels:
    return read_labels(column(*values), LabelRules(**rules))  # type: ignore[arg-type]


def singles(*names: str) -> list[Names]:
    return [(name,) for name in names]


def said(found: Labels, *parts: str) -> bool:
    """True if there is a warning for each part and no other."""
    return len(found.warnings) == len(parts) and all(map(str.__contains__, found.warnings, parts))


def test_texts_of_several_columns_are_joined() -> None:
    title, body = column("Good", "", None, 5), column("really\ngood", "body alone", "  ", None)
    assert read_texts(title, body) == (["Good\nreally\ngood", "body alone", "5"], [0, 1, 3])
    with pytest.raises(TableError, match=r"row 2, column 'label': expected text, found dict"):
        read_texts(column("a", "b"), column("a", {"b": 1}))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((10, -1), ("10", "-1")),
        ((True, False), ("true", "false")),
        (("TRUE", "False"), ("true", "false")),
        (("b", " a "), ("b", "a")),
        ((0.5, "x"), ("0.5", "x")),
        (("2.0", "-3.00", "007"), ("2", "-3", "007")),
        (("1.10", "1.2"), ("1.10", "1.2")),
        (("[POS]", "(NEG)", "{other}"), ("[POS]", "(NEG)", "{other}")),
    ],
)
def test_labels_of_any_type_become_names(values: tuple[object, ...], names: Sequence[str]) -> None:
    found = labels(*values)
    assert (found.names, found.multi_label, found.warnings) == (singles(*names), False, [])


def test_rows_with_the_same_labels_share_them_in_memory() -> None:
    found = labels(*(f"label {number % 2}" for number in range(10)))
    assert len({id(names) for names in found.names}) == 2


def test_a_label_is_the_same_in_every_format(tmp_path: Path) -> None:
    numbers: list[list[object]] = [[1, 0], [1.0, 0.0], ["1", "0"], ["1.0", "0.0"]]
    for place, pair in enumerate(numbers):
        write_parquet(tmp_path / f"{place}.parquet", {"label": pair})
        write(tmp_path / f"{place}.csv", "label\n" + "".join(f"{value}\n" for value in pair))
        write(tmp_path / f"{place}.jsonl", "".join(json.dumps({"label": value}) + "\n" for value in pair))
        for ending in ("parquet", "csv", "jsonl"):
            found = labels_in(tmp_path / f"{place}.{ending}")
            assert found.names == singles("1", "0")
    write_parquet(tmp_path / "b.parquet", {"label": [True, False], "bytes": [b"true", b"false"]})
    for name in ("label", "bytes"):
        assert labels_in(tmp_path / "b.parquet", name).names == singles("true", "false")


# --- spelling ---


@pytest.mark.parametrize(
    "values",
    [
        ("pos", "Pos", "pos"),
        ("pos", "ｐｏｓ", "pos"),
        ("pos", "po\u200bs", "pos"),
        ("pos", "\ufeffpos", "pos"),
        ("very good", "very\u00a0 good", "very good"),
        ("7", "007", "7"),
        ("0.5", "0.50", "0.5"),
        ("1000", "1e3", "1000"),
    ],
)
def test_names_that_differ_in_spelling_only_are_told_or_merged(values: tuple[str, ...]) -> None:
    found = labels(*values, "neg")
    assert found.names == singles(*values, "neg")
    assert said(found, f"labels that differ in spelling only count as different: {values[0]!r} (2), {values[1]!r} (1);")
    merged = labels(*values, "neg", merge=True)
    assert merged.names == singles(*[values[0]] * 3, "neg")
    assert said(merged, f"labels read as one, '{values[0]}': {values[0]!r} (2), {values[1]!r} (1)")


def test_spellings_that_are_read_as_one_are_told() -> None:
    found = labels("1", "1.0", 1, "0", " true", "True", "true")
    assert found.names == singles("1", "1", "1", "0", "true", "true", "true")
    assert said(
        found,
        "label '1' is written in 2 ways, read as one: '1' (2), '1.0' (1)",
        "label 'true' is written in 3 ways, read as one: ' true' (1), 'True' (1), 'true' (1)",
    )


def test_only_the_first_groups_are_named() -> None:
    found = labels(*[name for letter in "abcdefg" for name in (letter, letter.upper())])
    assert len(found.warnings) == 6
    assert found.warnings[-1] == "2 further groups of labels differ in spelling only"
    assert labels("pos", "positive", "7", "70", "a b", "ab").warnings == []


# --- missing ---


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param(float("nan"), id="not a number"),
        *("", "  ", "\u200b", "nan", "NaN", "NA", "n/a", "NULL", "None", "-", "<NA>", "#N/A"),
    ],
)
def test_what_means_a_missing_label_is_left_out_and_told(value: object) -> None:
    found = labels("a", value, "b", value)
    assert (found.names, found.kept) == (singles("a", "b"), [0, 2])
    spelled = f"'{value}'" if isinstance(value, str) and value.isprintable() and value.strip() else "empty"
    assert said(found, f"2 rows without a label left out ({spelled} 2; row 2, row 4)")


@pytest.mark.parametrize("name", ["NA", "-", "null"])
def test_a_name_that_is_kept_is_a_label(name: str) -> None:
    assert labels("a", name, keep=frozenset({name})).names == singles("a", name)
    assert labels("a", f" {name} ", keep=frozenset({name})).names == singles("a", name)


@pytest.mark.parametrize("name", ["none", "missing", "?"])
def test_a_label_that_may_mean_a_missing_one_stays_and_is_told(name: str) -> None:
    found = labels("favour", name)
    assert found.names == singles("favour", name)
    assert said(found, f"label '{name}' (1) may stand for a missing one")
    assert labels("favour", name, keep=frozenset({name})).warnings == []


# --- lists ---


@pytest.mark.parametrize(
    "values",
    [
        (["b", "a", "b"], [], [1]),
        ('["b", "a"]', "[]", "[1]"),
        ("['b', 'a']", "[]", "['1']"),
        ("['b' 'a']", "[]", "['1']"),
        ("[b, a]", "[]", "[1]"),
        ("('b', 'a')", "()", "('1',)"),
        ("{'b', 'a'}", "{}", "{'1'}"),
        ("[u\"b\", 'a']", "[ ]", "[1.0]"),
    ],
)
def test_lists_in_any_writing_make_a_column_multi_label(values: tuple[object, ...]) -> None:
    found = labels(*values)
    assert (found.names, found.multi_label) == ([("b", "a"), (), ("1",)], True)
    written = ["labels are lists written as text: multi-label"] * isinstance(values[0], str)
    assert found.warnings == written


def test_lists_in_files(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"label": [["a", "b"], ["b"]]})
    assert labels_in(tmp_path / "a.parquet").names == [("a", "b"), ("b",)]
    write(tmp_path / "a.csv", 'label\n"[""a"", ""b""]"\n"[""b""]"\n')
    assert labels_in(tmp_path / "a.csv").names == [("a", "b"), ("b",)]


@pytest.mark.parametrize("odd", ["food", 3, "not, a list"])
def test_one_plain_label_among_lists_does_not_change_the_task(odd: object) -> None:
    for lists in ([["food"], ["food", "price"]], ['["food"]', '["food", "price"]']):
        found = labels(*lists * 3, odd)
        assert found.multi_label
        assert found.names[-1] == (str(odd),)
        assert found.warnings[-1] == "1 row with a plain label among lists, read as a list of one (row 7)"


@pytest.mark.parametrize("odd", [["a", "b"], '["a", "b"]', [], "['a', 'b']"])
def test_one_list_among_plain_labels_does_not_change_the_task(odd: object) -> None:
    found = labels("a", "b", "a", odd, ["a"], "['b']", "b", "a")
    assert not found.multi_label
    assert (found.names, found.kept) == (singles("a", "b", "a", "a", "b", "b", "a"), [0, 1, 2, 4, 5, 6, 7])
    assert found.warnings[0] == "1 row left out that hold a list of labels, where most rows have one label (row 4)"


def test_lists_that_are_cut_off_are_left_out() -> None:
    found = labels('["a"]', '["b"', '["b"]', "['a', 'b']")
    assert (found.names, found.kept) == ([("a",), ("b",), ("a", "b")], [0, 2, 3])
    assert "1 row left out that hold a list of labels that is not closed" in found.warnings[-1]


@pytest.mark.parametrize(
    ("values", "row", "cause"),
    [
        (["a"] * 6 + [["a", "b"]] * 4, 7, "holds a list of labels, where most rows have one label; so do 4 of 10 rows"),
        (('["a"]', '["b"', '["c"', '["d"]'), 2, "holds a list of labels that is not closed or not readable; so do 2"),
        (("a", {"b": 1}), 2, "expected a label, found dict"),
        ((["a"], [["b"]]), 2, "expected a label, found list"),
    ],
)
def test_unusable_labels_are_named(values: Sequence[object], row: int, cause: str) -> None:
    with pytest.raises(TableError) as caught:
        labels(*values)
    assert cause in caught.value.cause
    assert str(caught.value).startswith(f"a.csv, row {row}, column 'label': ")


# --- separators ---


def test_an_empty_set_as_python_writes_it_has_no_label() -> None:
    found = labels("{'a', 'b'}", "{'a'}", "set()")
    assert (found.names, found.multi_label) == ([("a", "b"), ("a",), ()], True)


def test_numbers_with_a_comma_are_one_label_unless_a_model_knows_their_parts() -> None:
    """Stars in a German file, which is separated by semicolons."""
    stars = ["1,0", "1,5", "2,0", "2,5"] * 3
    found = labels(*stars)
    assert (found.multi_label, found.names) == (False, singles(*stars))
    assert labels(*stars, separator=",").names[1] == ("1", "5")
    assert labels("1,2", "2,3", "1", "3", "1,2").multi_label, "numbers of labels, of which a text may have one"


@pytest.mark.parametrize("separator", [",", "|", ";", "、", "，"])
def test_a_separator_in_most_labels_means_several(separator: str) -> None:
    pair, triple = f"food{separator}service", f"price{separator} food{separator}service"
    found = labels(pair, "food", triple, pair, "-")
    assert (found.multi_label, found.separator) == (True, separator)
    assert found.names == [("food", "service"), ("food",), ("price", "food", "service"), ("food", "service")]
    assert f"3 of 4 labels hold '{separator}' between several: multi-label" in found.warnings[-1]
    assert labels(pair, "food", triple, pair, separator="").names == singles(pair, "food", triple, pair)


def test_one_joined_label_does_not_change_the_task() -> None:
    found = labels("food", "service", "food", "service", "food|service")
    assert not found.multi_label
    assert said(found, "1 of 5 labels look like several, as 'food|service'; each is read as one label")
    chosen = labels("food", "service", "food", "service", "food|service", separator="|")
    assert (chosen.multi_label, chosen.names[-1]) == (True, ("food", "service"))


@pytest.mark.parametrize("values", [("Toys, games", "Health, beauty"), ("Yes, sir", "No"), ("a;b", "c;d")])
def test_names_that_hold_a_comma_are_one_label(values: tuple[str, ...]) -> None:
    found = labels(*values * 4)
    assert (found.multi_label, found.names, found.warnings) == (False, singles(*values * 4), [])


@pytest.mark.parametrize("separator", ["/", "+", " & ", "#"])
def test_marks_that_also_stand_inside_names_are_told_and_not_taken(separator: str) -> None:
    values = (f"food{separator}price", "food", f"price{separator}service", f"service{separator}food")
    found = labels(*values)
    assert (found.multi_label, found.names) == (False, singles(*values))
    assert said(found, f"3 of 4 labels look like several, as 'food{separator}price'; each is read as one label")
    assert labels(*values, separator=separator.strip()).names[0] == ("food", "price")


@pytest.mark.parametrize(
    "values",
    [
        ("rec/autos", "rec/sport", "sci/med", "sci/space"),
        ("R&D", "HR", "Sales & Marketing", "Support"),
        ("and/or", "either", "neither", "both"),
        ("C", "C++", "C#", "F#"),
        ("A+", "A", "B+", "B"),
        ("AC/DC", "Guns N' Roses", "Simon & Garfunkel", "+44"),
        ("yes/no", "yes", "maybe", "never"),
    ],
)
def test_names_with_such_marks_raise_no_false_alarm(values: tuple[str, ...]) -> None:
    found = labels(*values * 3)
    assert (found.multi_label, found.names, found.warnings) == (False, singles(*values * 3), [])


def test_marks_part_labels_that_a_model_knows() -> None:
    known = frozenset({"food", "service", "R&D"})
    found = labels("food+service", "food", "R&D", keep=known, multi_label=True)
    assert found.names == [("food", "service"), ("food",), ("R&D",)]


def test_known_labels_are_parted_only_where_all_parts_are_known() -> None:
    known = frozenset({"food", "service", "a,b"})
    found = labels("food,service", "food", "service", "a,b", keep=known, multi_label=True)
    assert found.names == [("food", "service"), ("food",), ("service",), ("a,b",)]
    assert labels("food,x", "food", "service", keep=known, multi_label=True).names == singles(
        "food,x", "food", "service"
    )


def test_missing_names_in_a_list_are_passed_over() -> None:
    assert labels(["a", None], ["nan", "b"]).names == [("a",), ("b",)]


# --- texts ---


def test_texts_are_text_or_numbers_and_missing_ones_are_left_out() -> None:
    texts = column("x", 5, "", 0.5, None, float("nan"), " \n", "NA")
    assert read_texts(texts) == (["x", "5", "0.5", "NA"], [0, 1, 3, 7])


@pytest.mark.parametrize(
    ("value", "cause"), [(True, "expected text, found bool"), (["x"], "expected text, found list")]
)
def test_unusable_texts_are_named(value: object, cause: str) -> None:
    with pytest.raises(TableError, match=rf"row 2, column 'label': {cause}"):
        read_texts(column("x", value))


def test_missing_texts_are_missing_in_all_formats(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": ["a", None, "", "b"]})
    write(tmp_path / "a.csv", 'text,n\na,1\n,2\n"",3\nb,4\n')
    write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": null}\n{"n": 1}\n{"text": "b"}\n')
    for ending in ("parquet", "csv", "jsonl"):
        assert read_texts(*read_columns(tmp_path / f"a.{ending}", ["text"])) == (["a", "b"], [0, 3])
