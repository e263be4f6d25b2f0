from tests.training.inspection.conftest import Make, Rows
from training.inspection.languages import count_letters, measure_languages, measure_scripts

ENGLISH = "This is the review of a film that we saw last week in the small cinema near the old harbour, number"
GERMAN = "Das ist die Besprechung eines Films, den wir letzte Woche in dem kleinen Kino am alten Hafen gesehen haben"


def test_a_few_texts_in_another_script_are_found(clean: Rows, material: Make) -> None:
    shares, found = measure_scripts(material([*clean, ("очень хорошо", "good"), ("很好看的影片", "good")]))
    assert round(shares["Latin"], 2) == 0.99
    assert [(one.kind, one.count, one.detail) for one in found] == [
        ("other_script", 2, "Cyrillic 1, Han 1; most Latin")
    ]


def test_addresses_and_single_letters_show_no_script(material: Make) -> None:
    rows = [("很好看的影片", "good")] * 20
    odd = ["http://t.cn/abcdef 好", "@someone #topic", "ok", "很好 film of the year"]
    assert measure_scripts(material([*rows, *((text, "bad") for text in odd)]))[1] == []
    assert count_letters(["@someone #topic 好", ""]).sum(axis=1).tolist() == [1, 0]


def test_a_mixture_of_scripts_is_shown_and_not_reported(clean: Rows, material: Make) -> None:
    shares, found = measure_scripts(material([*clean, *[("很好看的影片", "good")] * 100]))
    assert (list(shares), found) == (["Latin", "Han"], [])
    assert measure_scripts(material([("12", "good"), ("👍", "bad")])) == ({}, [])


def test_a_few_texts_in_another_language_are_found(material: Make) -> None:
    rows = [(f"{ENGLISH} {place}", "good") for place in range(30)]
    shares, found = measure_languages(material([*rows, (GERMAN, "bad")], languages=True))
    assert list(shares) == ["en", "de"]
    assert [(one.kind, one.count, one.total, one.detail) for one in found] == [
        ("other_language", 1, 31, "de 1; most en")
    ]
    assert found[0].examples[0].row == 31


def test_languages_are_looked_for_only_if_asked_and_in_long_texts(clean: Rows, material: Make) -> None:
    assert measure_languages(material([(GERMAN, "good")])) == ({}, [])
    assert measure_languages(material([("Hallo Welt", "good")], languages=True)) == ({}, [])
    shares, found = measure_languages(material([(ENGLISH, "a")] * 5 + [(GERMAN, "b")] * 5, languages=True))
    assert (shares, found) == ({"en": 0.5, "de": 0.5}, [])
