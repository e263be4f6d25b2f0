"""Lengths of texts in tokens, texts that will be cut, and texts far longer than the others."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.config import Frozen
from model.tokenizer import replace_surrogates
from training.data.tokenizer import train_tokenizer
from training.inspection.finding import Finding, Severity, finding
from training.inspection.material import Material

LEARNED_CHARACTERS = 1_000_000
"""Of so many characters a tokenizer is learned where none is given: lengths are then some percent too large."""

FAR, LONG = 20, 2000
"""A text so many times as long as 95% of the others, and of so many characters, is an outlier."""


MANY_TRUNCATED = 0.05


class Lengths(Frozen):
    """Numbers of tokens of texts, and how many texts are cut.

    Attributes:
        median, most, longest: of half, of 95% and of all texts.
        max_tokens: the length at which they are cut.
        truncated: number of texts that are longer.
        sampled: texts that were counted; the others are estimated from them.
    """

    median: int
    most: int
    longest: int
    max_tokens: int
    truncated: int
    sampled: int


def measure_lengths(material: Material) -> tuple[Lengths, list[Finding]]:
    """Counts the tokens of texts, and finds texts that are cut or far longer than the others."""
    texts, max_tokens = material.dataset.texts, material.tokenizer.max_tokens
    sample = material.sample
    counts_N = _count(material.given or _learned(material), [texts[place] for place in sample])
    long = [sample[place] for place in np.flatnonzero(counts_N > max_tokens).tolist()]
    median, most, longest = np.percentile(counts_N, [50, 95, 100]).astype(int).tolist()
    truncated = round(len(long) * len(texts) / len(sample))
    lengths = Lengths(
        median=median,
        most=most,
        longest=longest,
        max_tokens=max_tokens,
        truncated=truncated,
        sampled=len(sample),
    )
    return lengths, [*_truncated(material, lengths, long), *_outliers(material)]


def _truncated(material: Material, lengths: Lengths, long: list[int]) -> Iterator[Finding]:
    if long:
        about = "" if lengths.sampled == len(material.dataset) else f"; estimated from {lengths.sampled:,} texts"
        detail = (
            f"{lengths.max_tokens:,} tokens; 95% have up to {lengths.most:,}, the longest {lengths.longest:,}{about}"
        )
        severity: Severity | None = "look" if lengths.truncated > MANY_TRUNCATED * len(material.dataset) else None
        count = lengths.truncated
        yield finding("truncated", material.role, material.dataset, long, detail=detail, count=count, severity=severity)


def _outliers(material: Material) -> Iterator[Finding]:
    sizes_N = np.fromiter(map(len, material.dataset.texts), dtype=np.int64, count=len(material.dataset))
    bound = max(LONG, FAR * np.percentile(sizes_N, 95))
    far = np.flatnonzero(sizes_N > bound)
    far = far[np.argsort(-sizes_N[far], kind="stable")]
    if len(far):
        detail = f"up to {sizes_N.max():,} characters, where 95% have up to {np.percentile(sizes_N, 95):,.0f}"
        yield finding("outlier", material.role, material.dataset, far.tolist(), detail=detail)


def _learned(material: Material) -> Tokenizer:
    texts = material.dataset.texts
    size = sum(map(len, texts))
    chosen = texts[:: max(1, -(-size // LEARNED_CHARACTERS))]
    return train_tokenizer(material.tokenizer, chosen)


def _count(tokenizer: Tokenizer, texts: list[str]) -> npt.NDArray[np.int64]:
    counts = [len(encoding) for encoding in tokenizer.encode_batch_fast([replace_surrogates(text) for text in texts])]
    return np.array(counts, dtype=np.int64)
