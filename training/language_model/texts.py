"""Raw texts for a language model: read, each once, some set apart, cut into windows of tokens.

A window begins with a state of zeros, for that is how the classifier reads a text: a state carried over from the text
before, as in Merity et al. 2018, would teach the layers to lean on something that they will never have. And rows are
documents here, so the text before is no context of the next one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.batch import Ids, lengths_of
from model.text import TextEncoder
from training.data.corpus import DataFile
from training.data.duplicates import distinct, normalised
from training.data.files import digest_of
from training.data.unlabeled import read_unlabeled
from training.errors import UsageError
from training.language_model.config import PretrainConfig

NO_CUT = 2**31
"""Tokens of a text, at most: as good as no bound."""


@dataclass(frozen=True, slots=True)
class RawTexts:
    """Distinct texts of the files.

    Attributes:
        train: to learn from.
        validation: to measure the perplexity on, in the order of their digests: the first ones are of all files.
        vocabulary: further texts for the tokenizer.
        num_withheld: texts left out because they stand in files that are to be left out.
        files: what to record of each file, by role and number.
    """

    train: list[str]
    validation: list[str]
    vocabulary: list[str]
    num_withheld: int
    files: dict[str, DataFile]


def read_texts(config: PretrainConfig) -> RawTexts:
    """Reads the files of `config`.

    Raises:
        UsageError: no file is named, or there are too few texts.
        TableError: a file or its column cannot be read, or it holds no text.
    """
    if not config.texts:
        raise UsageError("no file of texts; name at least one")
    files: dict[str, DataFile] = {}

    def read(role: str, names: Iterable[str]) -> list[str]:
        found: list[str] = []
        for number, path in enumerate(map(Path, names), 1):
            texts = read_unlabeled(path, text_column=config.text_column)
            files[f"{role} {number}"] = DataFile(file=path.name, sha256=digest_of(path), rows=len(texts), labels={})
            found += texts
        return found

    given = distinct(read("texts", config.texts))
    withheld = {normalised(text) for text in read("without", config.without)}
    allowed = distinct(given, but_not=withheld)
    train, validation = set_apart(allowed, config.validation_fraction)
    further = distinct(read("vocabulary", config.vocabulary), but_not=withheld)
    return RawTexts(train, validation, further, len(given) - len(allowed), files)


def set_apart(texts: Sequence[str], fraction: float) -> tuple[list[str], list[str]]:
    """Parts texts into training and validation; whether a text is in the second depends on nothing but itself.

    So a text stays on its side when others come or go, and equal texts stay together. If chance gives one side none,
    it gets the text of the lowest or highest digest.

    Raises:
        UsageError: there are not two different texts.
    """
    shares = {text: _share(text) for text in texts}
    if len(set(shares.values())) < 2:
        raise UsageError("too few different texts to learn from some and measure on others; give more")
    bound = min(max(fraction, min(shares.values())), np.nextafter(max(shares.values()), 0))
    held_out = sorted((text for text in texts if shares[text] <= bound), key=lambda text: (shares[text], text))
    return [text for text in texts if shares[text] > bound], held_out


def _share(text: str) -> float:
    """Where a text falls in 0 to 1, by the digest of what makes it the same as others.

    >>> _share("A film!") == _share("a film")
    True
    """
    digest = hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True, slots=True)
class Windows:
    """Texts as token ids, in windows.

    Attributes:
        ids: of each window, at least two tokens.
        texts: of each window the place of the text that it is the whole of; -1 for a part of a text.
    """

    ids: list[Ids]
    texts: npt.NDArray[np.int64]

    def first(self, max_tokens: int) -> "Windows":
        """The first windows that together have at most `max_tokens` tokens; at least one."""
        count = max(1, int(np.searchsorted(np.cumsum(lengths_of(self.ids)), max_tokens, side="right")))
        return Windows(self.ids[:count], self.texts[:count])


def windows(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> Windows:
    """The texts in windows of at most `max_tokens`; one that has nothing to predict is left out."""
    encoder = TextEncoder(tokenizer, max_tokens=NO_CUT)
    found = [
        (window, place if len(text.ids) <= max_tokens else -1)
        for place, text in enumerate(encoder.encode(texts))
        for start in range(0, len(text.ids), max_tokens)
        if len(window := text.ids[start : start + max_tokens]) > 1
    ]
    return Windows([ids for ids, _ in found], np.array([place for _, place in found], dtype=np.int64))
