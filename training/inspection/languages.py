"""Scripts and languages of texts, and rows that are in others than the rest.

Shape suffixes: N texts, S scripts, K code points.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.data.fingerprints import batches
from training.inspection.finding import Finding, finding
from training.inspection.material import Material

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

RANGES = {
    "Latin": [(0x41, 0x24F), (0x1E00, 0x1EFF), (0xFF21, 0xFF5A)],
    "Greek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "Cyrillic": [(0x400, 0x52F)],
    "Hebrew": [(0x590, 0x5FF)],
    "Arabic": [(0x600, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)],
    "Devanagari": [(0x900, 0x97F)],
    "Bengali": [(0x980, 0x9FF)],
    "Tamil": [(0xB80, 0xBFF)],
    "Thai": [(0xE00, 0xE7F)],
    "Hangul": [(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)],
    "Kana": [(0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)],
    "Han": [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)],
}
"""Blocks of letters of common scripts. Source: Unicode 16, Blocks.txt."""

SCRIPTS = (*RANGES, "other")

MAIN_SHARE = 0.9
"""Share of texts from which on a script or language is that of the file, and others are reported."""

MIN_LETTERS = 60
"""A shorter text does not show its language."""

NUM_TEXTS, NUM_CHARACTERS = 1000, 300
"""Texts whose language is looked at, and characters of each."""

LIKELY, SURE = 0.5, 0.9999
"""Probabilities of a language from which on a text counts, and from which on it is believed to be an odd one."""

FEW_LETTERS = 5
"""A text with fewer letters shows no script."""

VARIETIES = {"yue": "zh", "wuu": "zh", "lzh": "zh", "zh-yue": "zh", "pcm": "en", "sco": "en", "simple": "en"}
"""Codes of varieties that are told apart from the language on short texts by chance."""

ADDRESS = re.compile(r"https?://\S+|[@#]\w+")


def count_letters(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Counts letters of each script [N, S]; those of addresses, mentions and hashtags do not count."""
    counts = [np.zeros((0, len(SCRIPTS)), dtype=np.int64)]
    for part in batches(texts):
        chosen = [
            ADDRESS.sub("", text) if "@" in text or "#" in text or "://" in text else text for text in texts[part]
        ]
        codes_K = np.frombuffer("".join(chosen).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        text_K = np.repeat(np.arange(len(chosen)), [len(text) for text in chosen])
        script_K = _script_table()[codes_K]
        letters = script_K >= 0
        flat = text_K[letters] * len(SCRIPTS) + script_K[letters]
        counts.append(np.bincount(flat, minlength=len(chosen) * len(SCRIPTS)).reshape(len(chosen), len(SCRIPTS)))
    return np.concatenate(counts)


@cache
def _script_table() -> npt.NDArray[np.int8]:
    """The script of each code point, as a place in `SCRIPTS`; -1 of those that are no letters."""
    table = np.full(0x110000, -1, dtype=np.int8)
    table[[code for code in range(0x110000) if chr(code).isalpha()]] = len(SCRIPTS) - 1
    for place, ranges in enumerate(RANGES.values()):
        for first, last in ranges:
            part = table[first : last + 1]
            part[part >= 0] = place
    return table


def shares(names: Sequence[str]) -> dict[str, float]:
    """The share of each name, the largest first."""
    return {name: count / len(names) for name, count in Counter(names).most_common()}


def measure_scripts(material: Material) -> tuple[dict[str, float], list[Finding]]:
    """Finds the share of each script, by most letters of a text, and texts without a letter of the commonest."""
    letters_NS = count_letters(material.dataset.texts)
    total_N = letters_NS.sum(axis=1)
    script_N = letters_NS.argmax(axis=1)
    if not total_N.any():
        return {}, []
    parts = shares([SCRIPTS[place] for place in script_N[total_N > 0].tolist()])
    main, share = next(iter(parts.items()))
    odd = np.flatnonzero((total_N >= FEW_LETTERS) & (letters_NS[:, SCRIPTS.index(main)] == 0)).tolist()
    if share < MAIN_SHARE or not odd:
        return parts, []
    found = Counter(SCRIPTS[script_N[place]] for place in odd)
    detail = ", ".join(f"{name} {count:,}" for name, count in found.most_common())
    return parts, [finding("other_script", material.role, material.dataset, odd, detail=f"{detail}; most {main}")]


def measure_languages(material: Material) -> tuple[dict[str, float], list[Finding]]:
    """Finds the share of each language, and texts in another one than nearly all; both empty unless asked for.

    Names are codes of ISO 639-1. Up to `NUM_TEXTS` texts that are long enough are looked at, evenly over the file.
    """
    found = languages_of(material.dataset.texts) if material.languages else []
    if not found:
        return {}, []
    parts = shares([name for _, name, _ in found])
    main, share = next(iter(parts.items()))
    sure = [(place, name) for place, name, probability in found if name != main and probability >= SURE]
    odd = [place for place, _ in sure]
    if share < MAIN_SHARE or not odd:
        return parts, []
    counts = Counter(name for _, name in sure)
    detail = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(6)) + f"; most {main}"
    return parts, [finding("other_language", material.role, material.dataset, odd, total=len(found), detail=detail)]


def languages_of(texts: Sequence[str]) -> list[tuple[int, str, float]]:
    """Places of texts, their likeliest language and its probability.

    Up to `NUM_TEXTS` texts that are long enough are looked at, or nearly twice as many, evenly over all.
    """
    starts = [ADDRESS.sub("", text[: 2 * NUM_CHARACTERS])[:NUM_CHARACTERS] for text in texts]
    chosen = [place for place, text in enumerate(starts) if sum(map(str.isalpha, text)) >= MIN_LETTERS]
    chosen = chosen[:: max(1, len(chosen) // NUM_TEXTS)]
    if not chosen:
        return []
    classify = _identifier().classify
    found = []
    for place in chosen:
        name, probability = classify(starts[place])
        if probability >= LIKELY:
            found.append((place, VARIETIES.get(name, name), float(probability)))
    return found


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
