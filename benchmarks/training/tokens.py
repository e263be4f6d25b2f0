"""Compares pipelines of the tokenizer: tokens a text, and microseconds a text, on texts that taught no vocabulary.

    python -m benchmarks.training.tokens chinese.parquet english.parquet --vocab-size 30000

The pipelines take turns; of the times the least of five counts.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from model.text import TextEncoder
from model.tokenizer import build_tokenizer, first_tokenizer, train_vocabulary
from training.data.unlabeled import read_unlabeled

PIPELINES = {
    "until November 2026": first_tokenizer(),
    "Chinese characters": build_tokenizer(),
    "Chinese words": build_tokenizer(chinese_words=True),
}
HELD_OUT = 5_000
ROUNDS = 5


def main() -> None:
    """Prints a table of one row for each file and pipeline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="texts; the vocabulary is learned from all files together")
    parser.add_argument("--vocab-size", type=int, default=30_000)
    parser.add_argument("--texts", type=int, default=200_000, help="texts of each file that are read, by chance")
    arguments = parser.parse_args()
    texts = {path: chosen(path, arguments.texts) for path in arguments.files}
    learned_from = [text for found in texts.values() for text in found[HELD_OUT:]]
    pipelines = {
        name: train_vocabulary(pipeline, learned_from, vocab_size=arguments.vocab_size, min_frequency=2)
        for name, pipeline in PIPELINES.items()
    }
    print("| texts | pipeline | characters a text | tokens a text | µs a text |\n| --- | --- | --- | --- | --- |")
    for path, found in texts.items():
        held_out = found[:HELD_OUT]
        characters = np.mean([len(text) for text in held_out])
        for name, (tokens, micros) in measured(pipelines, held_out).items():
            print(f"| {path.name} | {name} | {characters:.1f} | {tokens:.1f} | {micros:.1f} |")


def chosen(path: Path, count: int) -> list[str]:
    """`count` texts of a file in random order, always the same."""
    texts = read_unlabeled(path, text_column="text")
    return [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[:count]]


def measured(pipelines: dict[str, Tokenizer], texts: list[str]) -> dict[str, tuple[float, float]]:
    """Tokens a text and microseconds a text, by the name of the pipeline."""
    encoders = {name: TextEncoder(tokenizer, max_tokens=512) for name, tokenizer in pipelines.items()}
    least = dict.fromkeys(encoders, float("inf"))
    for _ in range(ROUNDS):
        for name, encoder in encoders.items():
            began = time.perf_counter()
            encoder.encode(texts)
            least[name] = min(least[name], time.perf_counter() - began)
    tokens = {name: np.mean([text.num_tokens for text in encoder.encode(texts)]) for name, encoder in encoders.items()}
    return {name: (float(tokens[name]), least[name] / len(texts) * 1e6) for name in encoders}


if __name__ == "__main__":
    main()
