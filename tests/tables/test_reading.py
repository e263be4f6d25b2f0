from pathlib import Path

from tables.errors import Row
from tables.reading import Places, Reading


def test_the_first_places_are_named_and_the_others_counted() -> None:
    places = Places()
    for number in range(1, 6):
        places.add(Row(number, number + 1))
    assert str(places) == "row 1 (line 2), row 2 (line 3), row 3 (line 4) and 2 more"
    assert places.count == 5


def test_what_costs_rows_or_characters_is_a_warning() -> None:
    reading = Reading(Path("a.csv"), form="CSV", encoding="UTF-8", rows=1_000, lines=1_003, replaced=2)
    reading.left_out.add(Row(7, 8))
    reading.unclosed.add(Row(9, 10))
    assert reading.warnings() == [
        "1 row left out, which have more fields than the header (row 7 (line 8))",
        "2 places not valid in UTF-8, read as '�'",
    ]
    assert reading.describe().startswith("a.csv: 1,000 rows from 1,003 lines; CSV, UTF-8; 1 row with a quotation mark")
