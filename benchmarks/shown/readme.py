"""Blocks of README.md and README.zh.md with figures of the shipped checkpoint beside other ways."""

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engine.multiplications import MINILM, TOKENS, of_lstm, of_transformer
from model.checkpoint import Checkpoint

FIGURES = Path(__file__).resolve().parents[1] / "results" / "readme.json"
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


def blocks(checkpoint: Checkpoint, language: str) -> dict[str, str]:
    """Text of each block of a README, by the name in its markers, in `en` or `zh`."""
    record = json.loads(FIGURES.read_text("utf-8"))
    found = checkpoint.metrics["evaluations"]
    shown = [name for name in SHOWN_SETS if name in found]
    accuracy = " | ".join(f"{100 * found[name]['scores']['accuracy']:.1f}" for name in shown)
    ours = round(of_lstm(checkpoint.config.architecture) / 1e6, 1)
    theirs = round(of_transformer(MINILM, TOKENS) / 1e6)
    heading, measured, cost = WORDS[language]
    return {
        "accuracy": f"| {' | '.join(shown)} |\n|{' --- |' * len(shown)}\n| {accuracy} |",
        "ways": _ways_table(record["sst2"], heading),
        "measured": measured.format(**record),
        "cost": cost.format(ours=ours, theirs=theirs, ours_zh=100 * ours, theirs_zh=100 * theirs),
    }


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
