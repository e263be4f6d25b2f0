from training.evaluation.checklist.cases import expand
from training.evaluation.checklist.chinese import CHINESE, TRADITIONAL


def test_the_traditional_table_has_no_character_that_the_texts_lack() -> None:
    characters = {c for pattern in CHINESE.opinions for text in expand(pattern, CHINESE.words) for c in text}
    assert set(map(chr, TRADITIONAL)) <= characters
