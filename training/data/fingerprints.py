"""64-bit fingerprints of texts, of their sentences and of their n-grams, for a whole batch in NumPy.

A million texts have tens of millions of n-grams, which as Python strings need more memory than there is. Here a text
is an array of code points, and the fingerprint of any run of it is the difference of two sums (Rabin & Karp 1987, with
arithmetic modulo 2**64): two of 50 million runs that differ share one in less than one case of ten thousand.

A unit is a word, or one Chinese character. Case, punctuation, white space and width do not count, as in `normalised`;
nor does the space before "n't" or "'s" in tokenised text.

Shape suffixes: N texts, S sentences, U units, G n-grams, K letters and digits.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from model.explain.sentences import split_sentences

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float64]

WORDS = 13
"""Length of an n-gram of words. Source: Brown et al. 2020, "Language Models are Few-Shot Learners", appendix C."""

CHARACTERS = 20
"""Length of an n-gram that holds a Chinese character: 13 words of one and a half characters."""

CHARACTER_WORDS = 0.5
"""Part of a word that a Chinese character counts in the length of a sentence."""

BATCH_CHARACTERS = 1_000_000

MARKUP_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
"""A line break in pages copied from the web, as in IMDB."""

CLITIC = re.compile(r"\s+(?=(?:n['’]t|['’](?:s|re|ve|ll|d|m))\b)")
"""White space that tokenisers put into "don't" and "it's"."""

BREAK = "\0"
BASE = np.uint64(0x9E3779B97F4A7C15)
INVERSE = np.uint64(pow(int(BASE), -1, 2**64))


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of N texts.

    Attributes:
        text_N: of each text.
        sentence_S, sentence_text_S: of each sentence, and the place of its text.
        words_N, sentence_words_S: their lengths in words.
        ngram_G, ngram_text_G: of each run of `WORDS` words, or of `CHARACTERS` units one of which is Chinese.
        varied_S: distinct units of each sentence, in words; None unless asked for.
        varied_G: true if half of the units of the n-gram or more are distinct; None unless asked for.
    """

    text_N: Keys
    sentence_S: Keys
    sentence_text_S: Places
    words_N: Weights
    sentence_words_S: Weights
    ngram_G: Keys
    ngram_text_G: Places
    varied_S: Weights | None = None
    varied_G: Marks | None = None


def batches(texts: Sequence[str]) -> Iterator[slice]:
    """Parts a sequence of texts so that the fingerprints of a part need some hundred megabytes at most."""
    start = size = 0
    for place, text in enumerate(texts):
        size += len(text)
        if size > BATCH_CHARACTERS:
            yield slice(start, place + 1)
            start, size = place + 1, 0
    if start < len(texts):
        yield slice(start, len(texts))


def cut(text: str) -> list[str]:
    """Cuts a text into its sentences; markup for a line break ends one."""
    plain = MARKUP_BREAK.sub("\n", text).replace(BREAK, " ")
    return [plain[start:end] for start, end in split_sentences(plain)]


def fingerprints(texts: Sequence[str], *, varied: bool = False) -> Fingerprints:
    """Computes the fingerprints of a batch; with `varied` also how much of it is repetition."""
    sentences = [cut(text) for text in texts]
    text_S = np.repeat(np.arange(len(texts)), [len(found) for found in sentences])
    codes, sentence = _code_points([sentence for found in sentences for sentence in found])
    letters = _letters(codes, text_S[sentence] if len(text_S) else sentence, len(texts))
    sentence_K = sentence[letters]
    hashing = _RunHash(_mixed(codes[letters].astype(np.uint64)))
    bounds_S = np.searchsorted(sentence_K, np.arange(len(text_S) + 1))
    first_N = np.searchsorted(text_S, np.arange(len(texts) + 1))
    bounds_N = bounds_S[first_N]

    starts_U, chinese_U = _units(codes, letters)
    bounds_U = np.append(starts_U, len(letters))
    unit_U = hashing.runs(bounds_U[:-1], bounds_U[1:])
    sentence_U = sentence_K[starts_U]
    weight_U = np.where(chinese_U, CHARACTER_WORDS, 1.0)
    words_S = _sums(sentence_U, weight_U, len(text_S))
    starts_G, lengths_G = _ngrams(text_S[sentence_U] if len(text_S) else sentence_U, chinese_U)
    return Fingerprints(
        text_N=hashing.runs(bounds_N[:-1], bounds_N[1:]),
        sentence_S=hashing.runs(bounds_S[:-1], bounds_S[1:]),
        sentence_text_S=text_S,
        words_N=_sums(text_S, words_S, len(texts)),
        sentence_words_S=words_S,
        ngram_G=_RunHash(unit_U).runs(starts_G, starts_G + lengths_G),
        ngram_text_G=text_S[sentence_U[starts_G]],
        varied_S=_distinct_words(sentence_U, unit_U, weight_U, len(text_S)) if varied else None,
        varied_G=_varied(unit_U, starts_G, lengths_G) if varied else None,
    )


@dataclass(frozen=True, slots=True)
class WordRuns:
    """Fingerprints of N texts and of their runs of words.

    Attributes:
        text_N: of each text, as in `Fingerprints`.
        run_G, text_G: of each run of `units` units inside a text, with repetitions, and the place of its text.
        units_N: number of units of each text.
    """

    text_N: Keys
    run_G: Keys
    text_G: Places
    units_N: Places


def word_runs(texts: Sequence[str], units: int = 3) -> WordRuns:
    """Computes the fingerprints of texts and of their runs of a few units, which is quicker than of sentences."""
    codes, text = _code_points([MARKUP_BREAK.sub("\n", text).replace(BREAK, " ") for text in texts])
    letters = _letters(codes, text, len(texts))
    text_K = text[letters]
    hashing = _RunHash(_mixed(codes[letters].astype(np.uint64)))
    bounds_N = np.searchsorted(text_K, np.arange(len(texts) + 1))
    starts_U, _ = _units(codes, letters)
    unit_U = hashing.runs(starts_U, np.append(starts_U[1:], len(letters))[: len(starts_U)])
    text_U = text_K[starts_U]
    first_G = np.arange(max(0, len(text_U) - units + 1))
    first_G = first_G[text_U[first_G] == text_U[first_G + units - 1]]
    return WordRuns(
        text_N=hashing.runs(bounds_N[:-1], bounds_N[1:]),
        run_G=_RunHash(unit_U).runs(first_G, first_G + units),
        text_G=text_U[first_G],
        units_N=np.bincount(text_U, minlength=len(texts)).astype(np.int64),
    )


class _RunHash:
    """Fingerprints of runs of a sequence of 64-bit numbers, in constant time each."""

    def __init__(self, values: Keys) -> None:
        powers = np.full(len(values) + 1, BASE)
        inverses = np.full(len(values) + 1, INVERSE)
        powers[0] = inverses[0] = 1
        self._inverses = np.cumprod(inverses, dtype=np.uint64)
        self._sums = np.zeros(len(values) + 1, dtype=np.uint64)
        np.cumsum(values * np.cumprod(powers, dtype=np.uint64)[:-1], dtype=np.uint64, out=self._sums[1:])

    def runs(self, starts: Places, ends: Places) -> Keys:
        """Fingerprints of the runs from `starts` to before `ends`; equal runs have equal ones."""
        return _mixed((self._sums[ends] - self._sums[starts]) * self._inverses[starts])


def _mixed(values: Keys) -> Keys:
    """A bijection of the 64-bit numbers that scatters them (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values + BASE
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scattered: Keys = mixed ^ (mixed >> np.uint64(31))
    return scattered


@cache
def _code_table(name: str) -> Marks:
    """The answers of a method of `str` for each code point."""
    return np.array([getattr(chr(code), name)() for code in range(0x110000)])


def _code_points(sentences: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Places]:
    """Code points of all sentences without case and width, a zero behind each, and the sentence of each of them."""
    folded = unicodedata.normalize("NFKC", BREAK.join([*sentences, ""])).casefold()
    plain = CLITIC.sub("", folded).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(plain, dtype="<u4").astype(np.uint32)
    ends = codes == 0
    return codes, np.cumsum(ends) - ends


def _letters(codes: npt.NDArray[np.uint32], text: Places, num_texts: int) -> Places:
    """Places of letters and digits; of all that is no white space in a text that has none."""
    letter = _code_table("isalnum")[codes]
    worded_N = np.bincount(text[letter], minlength=num_texts) > 0
    others = ~letter & ~worded_N[text] & ~_code_table("isspace")[codes] & (codes != 0)
    return np.flatnonzero(letter | others)


def _units(codes: npt.NDArray[np.uint32], letters: Places) -> tuple[Places, Marks]:
    """The first letter of each unit, as a place among the letters, and marks of units that are Chinese."""
    code_K = codes[letters]
    chinese_K = ((code_K >= 0x3400) & (code_K <= 0x9FFF)) | ((code_K >= 0x20000) & (code_K <= 0x3FFFF))
    counted = np.cumsum((codes != ord("'")) & (codes != ord("’")))[letters]
    begins_K = np.ones(len(letters), dtype=np.bool_)
    begins_K[1:] = (np.diff(counted) != 1) | chinese_K[1:] | chinese_K[:-1]
    starts_U = np.flatnonzero(begins_K)
    return starts_U, chinese_K[starts_U]


def _ngrams(text_U: Places, chinese_U: Marks) -> tuple[Places, Places]:
    """First units of the n-grams that lie in one text, and their lengths in units."""
    num_chinese = np.append(0, np.cumsum(chinese_U))
    starts: list[Places] = []
    for length, chinese in ((WORDS, False), (CHARACTERS, True)):
        first = np.arange(max(0, len(text_U) - length + 1))
        whole = text_U[first] == text_U[first + length - 1]
        has_chinese = num_chinese[first + length] > num_chinese[first]
        starts.append(np.flatnonzero(whole & (has_chinese == chinese)))
    return np.concatenate(starts), np.repeat([WORDS, CHARACTERS], [len(found) for found in starts])


def _distinct_words(sentence_U: Places, unit_U: Keys, weight_U: Weights, num_sentences: int) -> Weights:
    order = np.lexsort((unit_U, sentence_U))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(sentence_U[order]) != 0) | (np.diff(unit_U[order]) != 0)
    chosen = order[new]
    return _sums(sentence_U[chosen], weight_U[chosen], num_sentences)


def _sums(places: Places, weights: Weights, num_places: int) -> Weights:
    """Sums of the weights by their place."""
    sums: Weights = np.bincount(places, weights, num_places).astype(np.float64)
    return sums


def _varied(unit_U: Keys, starts_G: Places, lengths_G: Places) -> Marks:
    marks = np.zeros(len(starts_G), dtype=np.bool_)
    for length in (WORDS, CHARACTERS):
        chosen = np.flatnonzero(lengths_G == length)
        for part in np.array_split(chosen, len(chosen) // 200_000 + 1):
            runs: np.ndarray[Any, np.dtype[np.uint64]] = unit_U[starts_G[part][:, None] + np.arange(length)]
            runs.sort(axis=1)
            marks[part] = 2 * (1 + (np.diff(runs, axis=1) != 0).sum(axis=1)) >= length
    return marks
