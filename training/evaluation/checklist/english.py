"""English cases: those of `english.toml`, typos, letter case, lengthened words, emoji, contractions, other names."""

import re
from random import Random

from training.evaluation.checklist.cases import Case, Label, Suite
from training.evaluation.checklist.noise import add_typos, lengthen, swap_case


class EnglishSuite(Suite):
    """English templates and how they are filled.

    Attributes:
        written_out: templates with words of `contracted`.
        named: templates with a name and a number, which do not matter.
        emoji: neutral ones.
        fitting_emoji: those that suit a label.
        contracted: short forms by the words that they stand for.
    """

    written_out: tuple[str, ...]
    named: tuple[str, ...]
    emoji: tuple[str, ...]
    fitting_emoji: dict[Label, tuple[str, ...]]
    contracted: dict[str, str]


ENGLISH = EnglishSuite.load("english")


def english_cases(count: int, rng: Random) -> list[Case]:
    """About `count` cases a capability, the same for the same state of `rng`."""
    cases = ENGLISH.shared_cases(count, rng)
    for name, change in {
        "typos": add_typos,
        "case": swap_case,
        "lengthened words": lengthen,
        "emoji": _add_emoji,
    }.items():
        cases += ENGLISH.changed(name, ENGLISH.opinions, change, count, rng)
    cases += ENGLISH.changed("contractions", ENGLISH.written_out, _contract, count, rng)
    return [*cases, *_names_and_numbers(count, rng), *_fitting_emoji(count, rng)]


def _names_and_numbers(count: int, rng: Random) -> list[Case]:
    def drawn(pattern: str) -> tuple[str, str]:
        words = {slot: rng.choice(ENGLISH.words[slot]) for slot in ("place", "good", "bad")}
        first, second = rng.sample(ENGLISH.words["name"], 2), rng.sample(ENGLISH.words["number"], 2)
        both = [pattern.format(**words, name=n, number=i) for n, i in zip(first, second, strict=True)]
        return both[0], both[1]

    found = dict.fromkeys(drawn(ENGLISH.named[i % len(ENGLISH.named)]) for i in range(count))
    return ENGLISH.pairs("names and numbers", "same", found)


def _add_emoji(text: str, rng: Random) -> str:
    emoji = rng.choice(ENGLISH.emoji)
    return rng.choice([f"{text} {emoji}", f"{emoji} {text}", f"{text}{emoji}{emoji}"])


def _fitting_emoji(count: int, rng: Random) -> list[Case]:
    cases = []
    for label, emoji in ENGLISH.fitting_emoji.items():
        texts = ENGLISH.draw(ENGLISH.labelled["polarity"][label], count // 2, rng)
        cases += ENGLISH.pairs(
            "fitting emoji", "no lower", [(text, f"{text} {rng.choice(emoji)}") for text in texts], label
        )
    return cases


def _contract(text: str, rng: Random) -> str:
    apostrophe = rng.choice("'’")
    for full, short in ENGLISH.contracted.items():
        text = re.sub(rf"\b{full}\b", short.replace("'", apostrophe), text, count=1)
    return text
