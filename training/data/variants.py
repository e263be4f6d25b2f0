"""Augments texts for a teacher to label: drops words, swaps words for others of their class, crops.

A student sees only what the teacher says of these texts, so a variant need not mean what its source means; it must
only be a text of the same sort. Teacher and student read the same variant: a word is left out rather than replaced by
a mask, because our tokenizers have none.

Source: Tang et al. 2019, "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", section 3.2;
there a tagger says which words are of a kind, here the words around them do.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from model.config import Frozen

Share = Annotated[float, Field(ge=0, le=1)]

UNIT = re.compile(r"\s*(?:[\u3400-\u9fff\uf900-\ufaff]|(?:(?![\u3400-\u9fff\uf900-\ufaff])[\w'’-])+|[^\w\s])|\s+$")
"""A word, a Chinese character or a mark, with the white space before it."""

NUM_CONTEXTS = 250
"""Number of the commonest words by which the neighbours of a word are described, on each side."""

MIN_COUNT = 5
"""Rarer words have too few surroundings to be put into a class; they are not swapped."""


class AugmentConfig(Frozen):
    """Settings of the variants: their number, and the chance of each change.

    Attributes:
        variants: number for each labelled text, before duplicates are removed.
        unlabeled_variants: number for each unlabelled text.
        drop: chance of a word to be left out.
        swap: chance of a word to be replaced by another of its class.
        crop: chance of a variant to be cut to a run of words.
        crop_min, crop_max: length of that run; 1 and 5 (the source's) suit English, 2 and 10 Chinese characters.
        classes: number of word classes.
    """

    variants: Annotated[int, Field(ge=0)] = 20
    unlabeled_variants: Annotated[int, Field(ge=0)] = 0
    drop: Share = 0.1
    swap: Share = 0.1
    crop: Share = 0.25
    crop_min: Annotated[int, Field(ge=1)] = 1
    crop_max: Annotated[int, Field(ge=1)] = 5
    classes: Annotated[int, Field(ge=1)] = 64


def split_units(text: str) -> list[str]:
    """Cuts a text into units whose concatenation is the text.

    >>> split_units("It's bad, 不好")
    ["It's", ' bad', ',', ' 不', '好']
    """
    return UNIT.findall(text)


class WordClasses:
    """Classes of words that occur among the same neighbours; equal arguments give equal classes.

    Source: the distributional hypothesis (Harris 1954); left and right neighbours counted apart, weighted by positive
    pointwise mutual information and clustered, as in Schütze 1995, "Distributional Part-of-Speech Tagging".

    Args:
        texts: where the words are counted.
        num_classes: at most this many.
        seed: of the clustering.
    """

    def __init__(self, texts: Sequence[str], *, num_classes: int, seed: int) -> None:
        sentences = [[unit.strip().lower() for unit in split_units(text)] for text in texts]
        counts = Counter(word for words in sentences for word in words if any(map(str.isalnum, word)))
        words = [word for word, count in counts.most_common() if count >= MIN_COUNT]
        places = {word: place for place, word in enumerate(words)}
        self._members: list[tuple[list[str], np.ndarray]] = []
        self._class_of: dict[str, int] = {}
        if len(words) < 2:
            return
        from sklearn.cluster import MiniBatchKMeans

        clustering = MiniBatchKMeans(min(num_classes, len(words)), random_state=seed, n_init=3)
        classes = clustering.fit_predict(_surroundings(sentences, places))
        for index in range(clustering.n_clusters):
            members = [word for word, chosen in zip(words, classes, strict=True) if chosen == index]
            frequency = np.array([counts[word] for word in members], dtype=np.float64)
            self._members.append((members, np.cumsum(frequency / max(1.0, frequency.sum()))))
            self._class_of |= dict.fromkeys(members, index)

    def another(self, word: str, rng: np.random.Generator) -> str:
        """Draws a word of the class of `word`, common ones more often; `word` itself if it is in no class."""
        index = self._class_of.get(word.lower())
        if index is None:
            return word
        members, cumulative = self._members[index]
        return members[min(int(np.searchsorted(cumulative, rng.random())), len(members) - 1)]

    def same_class(self, word: str, other: str) -> bool:
        """True if both words are in one class."""
        return word in self._class_of and self._class_of.get(word) == self._class_of.get(other)


def augment(
    texts: Sequence[str], classes: WordClasses, config: AugmentConfig, *, variants: int, rng: np.random.Generator
) -> list[str]:
    """Makes `variants` of each text, in order; some are equal to each other or to their text, none is empty."""
    made = (vary(split_units(text), classes, config, rng) for text in texts for _ in range(variants))
    return [text for text in made if text]


def vary(units: Sequence[str], classes: WordClasses, config: AugmentConfig, rng: np.random.Generator) -> str:
    """Makes a variant of the text that `units` make up; empty if every word was left out."""
    kept = []
    for unit, chance in zip(units, rng.random(len(units)), strict=True):
        if chance < config.drop:
            continue
        if chance < config.drop + config.swap:
            word = unit.strip()
            unit = unit[: len(unit) - len(unit.lstrip())] + classes.another(word, rng)
        kept.append(unit)
    if kept and rng.random() < config.crop:
        length = int(rng.integers(config.crop_min, max(config.crop_min, config.crop_max) + 1))
        start = int(rng.integers(0, max(1, len(kept) - length + 1)))
        kept = kept[start : start + length]
    return "".join(kept).strip()


def _surroundings(sentences: Sequence[Sequence[str]], places: dict[str, int]) -> np.ndarray:
    """Unit vectors [len(places), 2 * contexts + 2] of the left and right neighbours of each word."""
    width = min(NUM_CONTEXTS, len(places)) + 1  # the last column counts all other words and the ends of a text
    counts = np.zeros((len(places), 2 * width))
    for words in sentences:
        ids = [places.get(word, -1) for word in words]
        for left, right in zip([-1, *ids], [*ids, -1], strict=True):
            if right >= 0:
                counts[right, left if 0 <= left < width - 1 else width - 1] += 1
            if left >= 0:
                counts[left, width + (right if 0 <= right < width - 1 else width - 1)] += 1
    total = counts.sum()
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / total
    information = np.log(np.maximum(counts, 1e-12) / np.maximum(expected, 1e-12)).clip(min=0.0)
    norms = np.linalg.norm(information, axis=1, keepdims=True)
    vectors: np.ndarray = information / np.maximum(norms, 1e-12)
    return vectors
