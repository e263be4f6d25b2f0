import re

import pytest

from training.inspection.scan import matching, where


def test_texts_with_a_match_are_found_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one two", "two two", "", "three", "\0", "two"]
    patterns = [re.compile("two"), re.compile("[\x01]"), re.compile("four")]
    assert matching(texts, patterns) == [[0, 1, 5], [4], []]
    monkeypatch.setattr("training.data.fingerprints.BATCH_CHARACTERS", 5)
    assert matching(texts, patterns) == [[0, 1, 5], [4], []]
    assert matching([], patterns) == [[], [], []]


def test_places_of_texts_that_pass_a_test() -> None:
    assert where(["a", "", "b"], len) == [0, 2]
