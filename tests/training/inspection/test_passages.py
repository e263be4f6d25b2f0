from tests.training.inspection.conftest import Make, Rows
from training.inspection.passages import check_names_in_texts, check_passages


def test_texts_that_are_their_label_are_found(clean: Rows, material: Make) -> None:
    (found,) = check_names_in_texts(material([*clean, ("Good!", "good"), ("bad", "good")]))
    assert (found.kind, found.count, found.severity) == ("text_is_label", 1, "look")


def test_labels_in_texts_are_found(clean: Rows, material: Make) -> None:
    (found,) = check_names_in_texts(material([(f"{text} verdict: {label.upper()}", label) for text, label in clean]))
    assert (found.kind, found.count, found.detail) == ("label_in_text", 200, "0 name another label")


def test_a_single_label_in_its_texts_tells_it_from_no_other(clean: Rows, material: Make) -> None:
    assert list(check_names_in_texts(material([(f"{text} verdict: good", "good") for text, _ in clean]))) == []


def test_names_that_stand_in_texts_of_any_label_tell_nothing(clean: Rows, material: Make) -> None:
    assert list(check_names_in_texts(material([(f"{text} good or bad", label) for text, label in clean]))) == []
    assert list(check_names_in_texts(material([(f"{text} 1", "1") for text, _ in clean]))) == []
    assert list(check_names_in_texts(material(clean))) == []


def test_a_shared_passage_is_found(clean: Rows, material: Make) -> None:
    signed = [(f"{text}. Sent from my pocket telephone.", label) for text, label in clean]
    (found,) = check_passages(material([*signed[:100], *clean[100:]]))
    assert (found.kind, found.count, found.severity) == ("boilerplate", 100, "look")
    assert "'Sent from my pocket telephone.' in 100" in found.detail
    (found,) = check_passages(material(signed))
    assert found.severity == "problem"


def test_a_shared_end_without_punctuation_is_found(clean: Rows, material: Make) -> None:
    (found,) = check_passages(material([(f"{text} sent from my telephone", label) for text, label in clean]))
    assert "'sent from my telephone' in 200" in found.detail


def test_a_shared_chinese_sentence_is_found(material: Make) -> None:
    rows = [(f"{'好坏' * (1 + place % 7)}{place}。以上内容仅供参考。", "good") for place in range(60)]
    (found,) = check_passages(material(rows))
    assert "以上内容仅供参考" in found.detail


def test_nothing_is_found_in_clean_texts(clean: Rows, material: Make) -> None:
    assert list(check_passages(material(clean))) == []
