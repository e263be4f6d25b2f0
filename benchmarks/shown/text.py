"""Comparison of a text with its renewal, and blocks of a document that are written by a program."""

import re
from collections.abc import Mapping

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def alike(one: str, other: str, tolerance: float) -> bool:
    """Tells that two texts are the same up to `tolerance` in each number.

    Processors compute in different formats, and a shown answer need not be written again for the last digit.

    >>> alike("score 0.91, 3 tokens", "score 0.92, 3 tokens", 0.02)
    True
    >>> alike("version a6614b", "version a6615b", 0.02)
    False
    """
    numbers, others = (list(map(float, NUMBER.findall(text))) for text in (one, other))
    return NUMBER.sub("#", one) == NUMBER.sub("#", other) and all(
        abs(a - b) <= tolerance for a, b in zip(numbers, others, strict=True)
    )


def filled(document: str, blocks: Mapping[str, str], tolerance: float = 0.0) -> str:
    """The document with each block `<!-- NAME -->…<!-- /NAME -->` filled anew, unless it is `alike` already.

    >>> filled("<!-- a -->old<!-- /a -->", {"a": "new"}).splitlines()
    ['<!-- a -->', 'new', '<!-- /a -->']
    """
    for name, text in blocks.items():
        head, begin, rest = document.partition(f"<!-- {name} -->")
        before, end, tail = rest.partition(f"<!-- /{name} -->")
        if begin and end and not alike(before, f"\n{text}\n", tolerance):
            document = f"{head}{begin}\n{text}\n{end}{tail}"
    return document
