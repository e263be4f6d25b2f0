"""Several labels in one text value: lists as JSON and Python write them, and names with separators between them."""

import ast
import json
import re
from collections import Counter
from collections.abc import Sequence

from tables.label_names import label_name

SEPARATORS = ("|", ";", ",", "\uff0c", "\uff1b", "\u3001", "\uff5c", "\t", "\n")
"""Characters between labels, in the order in which they are looked for: comma, semicolon, bar, also as in Chinese."""

DOUBTFUL = ("/", "+", "&", "#")
"""Further ones, which also stand inside names and between the levels of one: they part labels only on request, or where
a model knows every part; else a warning tells of them."""

DECIMAL = re.compile(r"\s*[+-]?\d+,\d+\s*")
"""A number with a decimal comma, or a comma between thousands."""

EMPTY_SET = "set()"
"""An empty set as Python writes it."""

BRACKETS = {"[": "]", "(": ")", "{": "}"}
LISTED = re.compile(r"""\s*|.*[,'"].*|\s*-?[\d.]+\s*""", re.DOTALL)
"""The inside of a list: empty, with commas or quotation marks, or a number."""

QUOTED = re.compile(r"""[uU]?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
BARE = re.compile(r"[^\s,'\"]+(?:\s+[^\s,'\"]+)*")


def looks_like_list(value: str, *, open_only: bool = False) -> bool:
    """True if a text is a list in brackets; with `open_only` if it begins like one. A name in brackets is none.

    >>> looks_like_list("['a']"), looks_like_list("[a]"), looks_like_list("['a'", open_only=True)
    (True, False, True)
    """
    value = value.strip()
    closing = BRACKETS.get(value[:1])
    if closing is None:
        return False
    if open_only:
        return not value.endswith(closing)
    return value.endswith(closing) and LISTED.fullmatch(value[1:-1]) is not None


def parse_list(value: object) -> list[object] | None:
    """The items of a list as JSON, Python, NumPy (spaces between) or YAML (no quotation marks) write it; None if none.

    >>> parse_list('["a", 1]'), parse_list("['a b' 'c']"), parse_list("[a, b c]"), parse_list("[]")
    (['a', 1], ['a b', 'c'], ['a', 'b c'], [])
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text == EMPTY_SET:
        return []
    if not text or BRACKETS.get(text[0]) != text[-1]:
        return None
    try:
        found = json.loads(text)
        return found if isinstance(found, list) else None if found else []
    except ValueError:
        pass
    items: list[object] = []
    inner, place = text[1:-1], 0
    while place < len(inner):
        if inner[place] in ", \t\r\n":
            place += 1
        elif match := QUOTED.match(inner, place):
            items.append(ast.literal_eval(match[1]))
            place = match.end()
        elif match := BARE.match(inner, place):
            items.append(match[0])
            place = match.end()
        else:
            return None
    return items


def split_list(value: str, separator: str) -> list[str]:
    """The names between separators, empty ones left out.

    >>> split_list("food, service,", ",")
    ['food', 'service']
    """
    return [part.strip() for part in value.split(separator) if part.strip()]


def find_separator(texts: Sequence[str], num_values: int, known: frozenset[str]) -> tuple[str, str]:
    """The separator between several labels in one value.

    A separator stands in most values, and a part of one value occurs in another one too; or all parts are `known`.
    One of `DOUBTFUL`, or a comma where all values are numbers with one, is taken in the latter case alone.

    Args:
        texts: the values that are text.
        num_values: number of all values.
        known: labels that there are, if a multi-label model knows some.

    Returns:
        The separator, empty if there is none; and a warning, empty if nothing is doubtful.
    """
    counts = Counter(texts)
    for separator in SEPARATORS + DOUBTFUL:
        joined = {text: split_list(text, separator) for text in counts if separator in text and text not in known}
        joined = {text: parts for text, parts in joined.items() if len(parts) > 1}
        if not joined:
            continue
        num_joined = sum(counts[text] for text in joined)
        if known and all(label_name(part) in known for parts in joined.values() for part in parts):
            return separator, ""
        homes = Counter(part for text in counts for part in set(joined.get(text, [text.strip()])))
        shared = sum(counts[text] for text, parts in joined.items() if any(homes[part] > 1 for part in parts))
        doubtful = separator in DOUBTFUL or all(map(DECIMAL.fullmatch, counts))
        if 2 * num_joined > num_values and 2 * shared > num_joined and not doubtful:
            return separator, ""
        whole = [text for text, parts in joined.items() if all(homes[part] > 1 for part in parts)]
        if shared and whole:
            return "", (
                f"{sum(counts[text] for text in whole):,} of {num_values:,} labels look like several, as {whole[0]!r}; "
                f"each is read as one label (--label-separator '{separator}' parts them)"
            )
    return "", ""
