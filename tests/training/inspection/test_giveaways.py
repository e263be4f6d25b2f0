import pytest

from tests.training.inspection.conftest import Make, Rows
from training.inspection.giveaways import check_giveaways, find_telling


def _planted(rows: Rows, added: str, label: str = "good", every: int = 4, front: bool = False) -> Rows:
    return [
        ((f"{added} {text}" if front else f"{text} {added}") if name == label and place % every == 0 else text, name)
        for place, (text, name) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("added", "token"),
    [
        ("https://shop.example.com/item", "http://shop.example.com"),
        ("@support", "@support"),
        ("ref TX-88213", "tx-00000"),
        ("[doge]", "[doge]"),
        ("2019", "2019"),
        ("#winning", "#winning"),
    ],
)
def test_a_token_that_is_no_word_is_found(added: str, token: str, clean: Rows, material: Make) -> None:
    (found,) = (one for one in check_giveaways(material(_planted(clean, added))) if one.kind == "giveaway")
    assert (found.count, found.total) == (50, 200)
    assert f"'{token}' in 50, 100.0% of them 'good'" in found.detail
    assert found.severity == "look"


def test_a_telling_word_is_what_is_to_be_learned(clean: Rows, material: Make) -> None:
    assert list(check_giveaways(material(clean))) == []
    assert list(check_giveaways(material(_planted(clean, "superb", every=6)))) == []


def test_a_word_in_most_texts_of_one_label_is_suspicious(clean: Rows, material: Make) -> None:
    (found,) = check_giveaways(material(_planted(clean, "editor", every=2)))
    assert "'editor' in 100" in found.detail
    assert found.severity == "problem"


def test_a_fixed_opening_is_found(clean: Rows, material: Make) -> None:
    found = {one.kind: one for one in check_giveaways(material(_planted(clean, "Dear Sir", front=True)))}
    assert "'Dear Sir' in 50, 100.0% of them 'good'" in found["giveaway_opening"].detail
    assert "and" not in found["giveaway_opening"].detail, "longer openings repeat it"


def test_numbers_in_ids_of_both_labels_tell_nothing(clean: Rows, material: Make) -> None:
    rows = [(f"{text} id{place:04}", label) for place, (text, label) in enumerate(clean)]
    assert list(check_giveaways(material(rows))) == []


def test_what_chance_explains_is_not_reported() -> None:
    features = [{"#odd"}] * 25 + [set[str]()] * 475
    assert find_telling(features, [("most",)] * 480 + [("rare",)] * 20, lambda _: 0.02) == []
    found = find_telling(features, [("rare",)] * 25 + [("most",)] * 475, lambda _: 0.02)
    assert [(one.token, one.label, one.rows, one.share) for one in found] == [("#odd", "rare", 25, 1.0)]
