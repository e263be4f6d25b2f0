import pytest

from tests.training.inspection.conftest import Make, Rows
from training.inspection.personal import check_personal, is_card

PLANTED = {
    "email": "ann.b@example.com",
    "phone": "+49 30 1234567",
    "card_number": "4111-1111-1111-1111",
    "iban": "DE89 3704 0044 0532 0130 00",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_personal_data_are_counted_and_shown_masked(kind: str, clean: Rows, material: Make) -> None:
    rows = [*clean, (f"{clean[0][0]} {PLANTED[kind]} end", "good"), (f"see {PLANTED[kind]}", "bad")]
    (found,) = check_personal(material(rows))
    assert (found.kind, found.count, found.examples[0].row) == (kind, 2, 201)
    assert not any(PLANTED[kind] in example.text for example in found.examples)
    assert not any(PLANTED[kind][-6:] in example.text for example in found.examples)


def test_what_will_be_masked_is_not_reported(clean: Rows, material: Make) -> None:
    rows = [*clean, *((shown, "good") for shown in PLANTED.values())]
    assert {one.kind for one in check_personal(material(rows, masked=True))} == {"card_number", "iban"}


def test_other_numbers_are_not_taken_for_personal_data(clean: Rows, material: Make) -> None:
    texts = [
        "4111 1111 1111 1112",
        "DE88 3704 0044 0532 0130 00",
        "ISBN 978-3-16-148410-0",
        "10.1000/182 3.1415926535897932",
    ]
    texts += ["1234567890123456", "2014-05-12 13:45:00", "$1,234,567.89", "version 10.2.3.4", "6-4 7-6 6-3", "me@home"]
    assert list(check_personal(material([*clean, *((text, "good") for text in texts)]))) == []
    assert not is_card("79927398710")
    assert is_card("79927398713"), "the example of the standard"
