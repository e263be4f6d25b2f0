from tests.training.inspection.conftest import Make, Rows
from training.inspection.duplicates import check_duplicates, check_leaks


def test_nothing_is_found_in_different_texts(clean: Rows, material: Make) -> None:
    assert list(check_duplicates(material(clean))) == []
    assert list(check_leaks(material(clean[:100], clean[100:]))) == []


def test_copies_contradictions_and_near_copies_are_told_apart(clean: Rows, material: Make) -> None:
    text, label = clean[0]
    other = {"good": "bad", "bad": "good"}[clean[5][1]]
    rows = [*clean, (f"{text}!", label), (text.upper(), label), (clean[5][0], other), (f"{clean[9][0]} then", "good")]
    found = {one.kind: one for one in check_duplicates(material(rows))}
    assert {kind: one.count for kind, one in found.items()} == {"duplicate": 2, "contradiction": 2, "near_duplicate": 1}
    assert [one.row for one in found["duplicate"].examples] == [201, 202]
    assert [one.row for one in found["contradiction"].examples] == [6, 203]
    assert [one.row for one in found["near_duplicate"].examples] == [204, 10]
    assert found["near_duplicate"].detail == "1 of them with other labels"
    assert found["duplicate"].severity == "note"


def test_a_copy_of_either_of_two_contradicting_rows_is_a_copy(clean: Rows, material: Make) -> None:
    text = clean[0][0]
    found = {one.kind: one for one in check_duplicates(material([*clean[1:], *[(text, "good"), (text, "bad")] * 3]))}
    assert (found["contradiction"].count, found["duplicate"].count) == (6, 4)
    assert (found["contradiction"].severity, found["duplicate"].severity) == ("problem", "note")


def test_leaked_rows_of_a_held_out_file_are_found(clean: Rows, material: Make) -> None:
    held_out = [("Something else entirely, said in other words.", "good"), (clean[3][0].upper(), "good")]
    (found,) = check_leaks(material(clean, test=held_out))
    assert (found.kind, found.role, found.count, found.total, found.severity) == ("leak", "test", 1, 2, "problem")
    assert found.examples[0].row == 2
    assert found.detail.startswith("1 the text")
