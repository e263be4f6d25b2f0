"""Chinese cases: those of `chinese.toml`, the traditional script, and marks that are written otherwise."""

from random import Random

from training.evaluation.checklist.cases import Case, Suite

CHINESE = Suite.load("chinese")

TRADITIONAL = str.maketrans(
    "这电书说厅机脑剧错让满会荐给欢后钱个讨厌",
    "這電書說廳機腦劇錯讓滿會薦給歡後錢個討厭",
)
"""For the characters of `CHINESE.opinions` that the two scripts write differently."""

HALF_WIDTH = str.maketrans("，。！", ",.!")


def chinese_cases(count: int, rng: Random) -> list[Case]:
    """About `count` cases a capability, the same for the same state of `rng`."""
    cases = CHINESE.shared_cases(count, rng)
    for name, change in {"traditional script": _traditional, "punctuation": _punctuate}.items():
        cases += CHINESE.changed(name, CHINESE.opinions, change, count, rng)
    return cases


def _traditional(text: str, _: Random) -> str:
    return text.translate(TRADITIONAL)


def _punctuate(text: str, rng: Random) -> str:
    """Marks of half width, other marks, spaces, or none at the end."""
    return rng.choice(
        [
            text.translate(HALF_WIDTH),
            text.replace("。", "！"),
            text.replace("，", " ").replace("。", ""),
            text.removesuffix("。"),
            text.replace("。", "……"),
        ]
    )
