"""The neutral facts: whole sentences of many lengths, the same each time."""

from training.evaluation.checklist.facts import NUM_FACTS, STATEMENTS, fact_cases


def test_facts_are_different_sentences_of_many_templates_and_lengths() -> None:
    for language, (short, long) in {"en": (25, 110), "zh": (8, 35)}.items():
        cases = fact_cases(language)
        texts = [case.texts[0] for case in cases]
        assert len(set(texts)) == len(texts) == NUM_FACTS
        assert len(STATEMENTS[language].templates) > 90
        assert min(map(len, texts)) < short
        assert max(map(len, texts)) > long
        assert {(case.check, case.label) for case in cases} == {("label", "neutral")}
        assert cases == fact_cases(language)


def test_every_word_list_is_used() -> None:
    for found in STATEMENTS.values():
        templates = " ".join(found.templates)
        assert all(f"{{{slot}}}" in templates for slot in found.words)
