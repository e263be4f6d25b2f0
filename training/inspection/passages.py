"""Checks for names of labels in texts, and for passages that many texts share."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from training.data.duplicates import normalised
from training.data.fingerprints import cut
from training.inspection.finding import Finding, Severity, finding, shortened
from training.inspection.material import Material

NAMED_SHARE, NAMED_PURE = 0.2, 0.95
"""Share of rows with their own label in the text, and of such among rows that name any, which are reported."""

MIN_NAME = 3
"""A shorter name (2 Chinese characters) stands in texts by chance."""

SHARED = 0.2
"""Share of texts from which on a passage that they have in common is reported."""

MIN_TEXTS = 50

ENDS = (4, 8)
"""Words of the beginning or end of a text that count as a passage."""

MIN_WORDS, MIN_CHINESE = 4, 8
"""A shorter sentence is no passage."""

CHINESE = re.compile("[\u3400-\u9fff]")


def check_names_in_texts(material: Material) -> Iterator[Finding]:
    """Finds texts that are their label, or hold it."""
    dataset = material.dataset
    keys = {name: normalised(name) for name in dataset.counts()}
    texts = dataset.texts
    longest = max(map(len, keys), default=0) + 10
    equal = [
        place
        for place, (text, names) in enumerate(zip(texts, dataset.labels, strict=True))
        if len(text) <= longest and normalised(text) in {keys[name] for name in names}
    ]
    if equal:
        severity: Severity | None = "look" if len(equal) < 0.01 * len(texts) else None
        yield finding("text_is_label", material.role, dataset, equal, severity=severity)
    pattern = _names_pattern(list(keys))
    if pattern is None or len(set(dataset.labels)) == 1:  # texts of other labels, to compare with, there are none
        return
    named = [(place, _named(pattern, texts[place])) for place in material.sample]
    any_name = [place for place, found in named if found]
    own = [place for place, found in named if found and found <= {name.casefold() for name in dataset.labels[place]}]
    if len(own) >= NAMED_SHARE * len(named) and len(own) >= NAMED_PURE * len(any_name) and len(own) > len(equal):
        detail = f"{len(any_name) - len(own):,} name another label"
        yield finding("label_in_text", material.role, dataset, own, total=len(named), detail=detail)


def _names_pattern(names: Sequence[str]) -> re.Pattern[str] | None:
    """Finds the names that are long enough as whole words; None if there are none."""
    chosen = [name.casefold() for name in names if len(name) >= MIN_NAME or (len(name) > 1 and CHINESE.search(name))]
    chosen = [name for name in chosen if any(map(str.isalpha, name))]
    if not chosen:
        return None
    written = "|".join(re.escape(name) for name in sorted(chosen, key=len, reverse=True))
    return re.compile(rf"(?<![a-z0-9_])(?:{written})(?![a-z0-9_])")


def _named(pattern: re.Pattern[str], text: str) -> set[str]:
    return set(pattern.findall(text.casefold()))


def check_passages(material: Material) -> Iterator[Finding]:
    """Finds sentences, beginnings and ends that many texts share."""
    dataset, places = material.dataset, material.sample
    passages = [_passages(dataset.texts[place]) for place in places]
    counts = Counter(passage for own in passages for passage in own)
    shared = {passage: rows for passage, rows in counts.items() if rows >= SHARED * len(places)}
    if not shared or len(places) < MIN_TEXTS:
        return
    rows = [place for place, own in zip(places, passages, strict=True) if not own.isdisjoint(shared)]
    longest = max(shared, key=lambda passage: (len(passage), passage))
    severity: Severity | None = "problem" if len(rows) > 0.9 * len(places) else None
    yield finding(
        "boilerplate",
        material.role,
        dataset,
        rows,
        total=len(places),
        detail=f"'{shortened(longest, 60)}' in {shared[longest]:,}",
        severity=severity,
    )


def _passages(text: str) -> set[str]:
    """Sentences of a text of several, and its first and last words."""
    sentences = cut(text)
    found = {sentence.strip() for sentence in sentences if _is_long(sentence)} if len(sentences) > 1 else set()
    words = text.split()
    for length in ENDS:
        if len(words) > 2 * length:
            found |= {" ".join(words[:length]), " ".join(words[-length:])}
    return found


def _is_long(sentence: str) -> bool:
    return len(sentence.split()) >= MIN_WORDS or len(CHINESE.findall(sentence)) >= MIN_CHINESE
