import pytest

from tests.training.inspection.conftest import Make, Rows
from training.data.tokenizer import TokenizerConfig, train_tokenizer
from training.inspection.lengths import measure_lengths


def test_lengths_are_those_of_a_given_tokenizer(clean: Rows, material: Make) -> None:
    tokenizer = train_tokenizer(TokenizerConfig(vocab_size=600), ["ba be"])
    lengths, found = measure_lengths(material([("ba be", "good"), ("ba", "bad"), ("ba ba be", "bad")], given=tokenizer))
    expected = sorted(len(tokenizer.encode(text)) for text in ("ba be", "ba", "ba ba be"))
    assert (lengths.median, lengths.longest) == (expected[1], expected[2])
    assert (lengths.truncated, lengths.sampled, lengths.max_tokens, found) == (0, 3, 512, [])


def test_long_texts_are_found(clean: Rows, material: Make) -> None:
    lengths, found = measure_lengths(material([*clean, (" ".join(text for text, _ in clean), "good")]))
    assert [(one.kind, one.count, one.severity) for one in found] == [("truncated", 1, "note"), ("outlier", 1, "look")]
    assert lengths.truncated == 1
    assert found[0].examples[0].row == found[1].examples[0].row == 201


def test_a_sample_stands_for_a_large_file(clean: Rows, material: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.inspection.material.SAMPLE_CHARACTERS", sum(len(text) for text, _ in clean) // 2)
    monkeypatch.setattr("training.inspection.lengths.LEARNED_CHARACTERS", 500)
    whole = material([(f"{text} \ud800", label) for text, label in clean])
    lengths, found = measure_lengths(whole)
    assert found == []
    assert 60 <= lengths.sampled <= 100
