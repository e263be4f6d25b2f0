from random import Random

from training.evaluation.checklist.noise import MIN_TYPO, add_typos, lengthen


def test_typos_spare_short_words_and_first_letters() -> None:
    text = "I did not find the restaurant wonderful"
    for seed in range(200):
        words = add_typos(text, Random(seed)).split()
        changed = [(a, b) for a, b in zip(text.split(), words, strict=True) if a != b]
        assert len(changed) == 2
        assert all(len(a) >= MIN_TYPO and a[0] == b[0] for a, b in changed)


def test_two_vowels_are_lengthened() -> None:
    for seed in range(100):
        found = lengthen("The plot was weak", Random(seed))
        assert len(found) >= len("The plot was weak") + 4
        assert [word[0] for word in found.split()] == list("Tpww")
