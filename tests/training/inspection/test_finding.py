from tests.training.inspection.conftest import Rows, as_dataset
from training.inspection.finding import finding, in_order, kinds


def test_a_finding_has_the_words_of_its_kind_and_three_examples(clean: Rows) -> None:
    found = finding("markup", "train", as_dataset(clean), [5, 7, 9, 11])
    kind = kinds()["markup"]
    assert (found.title, found.severity, found.train, found.remedy) == (
        kind.title,
        kind.severity,
        kind.train,
        kind.remedy,
    )
    assert (found.count, found.total, found.share) == (4, 200, 0.02)
    assert [(one.row, one.line) for one in found.examples] == [(6, 7), (8, 9), (10, 11)]


def test_findings_are_sorted_by_severity_and_kind(clean: Rows) -> None:
    dataset = as_dataset(clean)
    found = [finding(kind, "train", dataset, [0]) for kind in ("markup", "leak", "duplicate", "header_row")]
    assert [one.kind for one in in_order(found)] == ["leak", "header_row", "duplicate", "markup"]


def test_each_kind_says_what_train_does_in_a_clause() -> None:
    assert len(kinds()) >= 20
    for name, kind in kinds().items():
        for words in (kind.title, kind.train, kind.remedy):
            assert words == words.strip(), name
            assert not words.endswith("."), name
