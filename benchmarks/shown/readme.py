"""Blocks of README.md and README.zh.md with figures of the shipped checkpoint beside other ways."""

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

from benchmarks.engine.multiplications import MINILM, TOKENS, of_lstm, of_transformer
from benchmarks.training.sentiment.figures import SentimentFigures
from model.checkpoint import Checkpoint

RESULTS = Path(__file__).resolve().parents[1] / "results"
FIGURES = RESULTS / "readme.json"
SENTIMENT = RESULTS / "sentiment.json"
"""Figures of the shipped checkpoint, by `python -m benchmarks.training.sentiment … --card --json` of this file."""

SHOWN_SETS = ("sst2", "imdb", "fdu_mtl_reviews", "chnsenticorp", "online_shopping_10_cats", "douban_book_review")

WORDS = {
    "en": (
        "| | accuracy, SST-2 | texts/s on one core | size |",
        "Measured on {date}, {machine}:\n`{command}`.",
        (
            "A token costs the shipped model {ours:.1f} million multiplications; MiniLM-L6, a small transformer,\n"
            "{theirs:.0f} million (`python -m benchmarks.engine.multiplications`)."
        ),
    ),
    "zh": (
        "| | SST-2 准确率 | 单核每秒文本数 | 大小 |",
        "测于 {date}，{machine}：\n`{command}`。",
        (
            "每个词元在自带模型中只需 {ours_zh:.0f} 万次乘法；小型 Transformer MiniLM-L6 需要 {theirs_zh:.0f} 万次\n"
            "（`python -m benchmarks.engine.multiplications`）。"
        ),
    ),
}
"""Head of the table of ways, where it was measured, and what a token costs, by language."""

JUDGED = {
    "en": "The shipped checkpoint answers negative, neutral or positive, in English and Chinese. Accuracy on {split} "
    "texts in float32 (above: as served, in int8), positive against negative (its "
    "[card](checkpoints/sentiment/README.md) has more sets, intervals, calibration and limits):",
    "zh": "自带模型对中英文文本给出三种答案：负面、中性、正面（negative、neutral、positive）。\n"
    "区分正负的准确率（{split} 集，float32；上表为服务时的 int8）如下，更多数据集、置信区间、校准与局限见它的\n"
    "[模型卡](checkpoints/sentiment/README.md)：",
}

KNOWS = {
    "en": "Of its own checklist it calls {facts:.0f}% of plain statements neutral, and misreads {en:.0f}% of English "
    "and {zh:.0f}% of Chinese negations; [results](docs/results.md) has every figure with its command, "
    "[experiments](docs/experiments.md) what failed.",
    "zh": "在自带的检查清单上，它把 {facts:.0f}% 的平铺直叙判为中性，\n"
    "误读 {en:.0f}% 的英文否定句和 {zh:.0f}% 的中文否定句；[结果](docs/results.md)列出每个数字及其命令，\n"
    "[实验](docs/experiments.md)记录失败的尝试。",
}


def read_figures() -> SentimentFigures:
    """The recorded figures of the shipped checkpoint."""
    return SentimentFigures.model_validate_json(SENTIMENT.read_text("utf-8"))


def blocks(checkpoint: Checkpoint, language: str) -> dict[str, str]:
    """Text of each block of a README, by the name in its markers, in `en` or `zh`."""
    record = json.loads(FIGURES.read_text("utf-8"))
    ours = round(of_lstm(checkpoint.config.architecture) / 1e6, 1)
    theirs = round(of_transformer(MINILM, TOKENS) / 1e6)
    heading, measured, cost = WORDS[language]
    return {
        "accuracy": _accuracy(read_figures(), language),
        "ways": _ways_table(record["sst2"], heading),
        "measured": measured.format(**record),
        "cost": cost.format(ours=ours, theirs=theirs, ours_zh=100 * ours, theirs_zh=100 * theirs),
    }


def _accuracy(figures: SentimentFigures, language: str) -> str:
    shown = {name: found.two.accuracy for name in SHOWN_SETS if (found := figures.sets.get(name)) is not None}
    cells = " | ".join(f"{100 * accuracy:.1f}" for accuracy in shown.values())
    table = f"| {' | '.join(shown)} |\n|{' --- |' * len(shown)}\n| {cells} |"
    judged = _wrapped(JUDGED[language].format(split=figures.split), language)
    return "\n\n".join([judged, table, _knows(figures, language)])


def _knows(figures: SentimentFigures, language: str) -> str:
    rates = {one.name: one for one in figures.capabilities}
    facts = [one for name, one in rates.items() if name.endswith("/neutral facts")]
    told = KNOWS[language].format(
        facts=100 - 100 * sum(one.failed for one in facts) / sum(one.cases for one in facts),
        **{code: 100 * rates[f"{code}/negation: all"].rate for code in ("en", "zh")},
    )
    return _wrapped(told, language)


def _wrapped(text: str, language: str) -> str:
    return fill(text, 100, break_long_words=False, break_on_hyphens=False) if language == "en" else text


def _ways_table(figures: Mapping[str, Mapping[str, float]], heading: str) -> str:
    titles = {
        "sluice": "**Sluice**, the shipped checkpoint",
        "transformer": "MPNet-base, fine-tuned (`transformers`)",
        "tfidf": "TF-IDF and logistic regression",
        "fasttext": "fastText, 2-grams",
    }
    rows = [
        f"| {titles[name]} | {100 * row['accuracy']:.1f} | {row['texts_per_s']:,.0f} | {row['bytes'] / 1e6:,.0f} MB |"
        for name, row in figures.items()
    ]
    return "\n".join([heading, "| --- | ---: | ---: | ---: |", *rows])
