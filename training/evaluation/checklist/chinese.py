"""Chinese cases: those of `chinese.toml`, the traditional script, full width letters, and other marks."""

from random import Random

from training.evaluation.checklist.cases import Case, Suite

CHINESE = Suite.load("chinese")

TRADITIONAL = str.maketrans(
    "这电书说厅机脑剧错让满会荐给欢后钱个讨厌",
    "這電書說廳機腦劇錯讓滿會薦給歡後錢個討厭",
)
"""For the characters of `CHINESE.opinions` that the two scripts write differently."""

LATIN_NAMES = ("iPad 9", "Xbox One", "GoPro 12", "MacBook Air", "Kindle 10", "Switch 2", "Apple TV 4K", "RX 580")
FULL_WIDTH = {code: chr(code + 0xFEE0) for code in range(ord("!"), ord("~") + 1)}
HALF_WIDTH = str.maketrans("，。！", ",.!")


def chinese_cases(count: int, rng: Random) -> list[Case]:
    """About `count` cases a capability, the same for the same state of `rng`."""
    cases = CHINESE.shared_cases(count, rng)
    for name, change in {"traditional script": _traditional, "punctuation": _punctuate}.items():
        cases += CHINESE.changed(name, CHINESE.opinions, change, count, rng)
    return cases + CHINESE.pairs("full width", "same", _full_width(count, rng))


def _full_width(count: int, rng: Random) -> list[tuple[str, str]]:
    """Opinions of a thing with a Latin name, its letters and digits at both widths."""
    texts = [pattern.replace("{thing}", name) for pattern in CHINESE.opinions for name in LATIN_NAMES]
    return [(text, text.translate(FULL_WIDTH)) for text in CHINESE.draw(texts, count, rng)]


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
