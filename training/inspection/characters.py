"""Checks of characters: markup, wrong encodings, control characters, escapes."""

import re
from collections.abc import Iterator
from functools import partial

from training.inspection.finding import Finding, Severity, around, finding
from training.inspection.material import Material
from training.inspection.scan import matching

CONTINUATION = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
"""The second and later bytes of UTF-8 as Windows-1252 or Latin-1 reads them."""

PATTERNS = {
    "mojibake": re.compile(
        rf"[ÂÃ][{CONTINUATION}]|â€[{CONTINUATION}¢]|ðŸ[{CONTINUATION}]|[ä-é][{CONTINUATION}]{{2}}"
        r"|锟斤拷|锟斤|烫烫烫|ï»¿|鈥|銆[\ue000-\uf8ff?€]|锛[\ue000-\uf8ff屾堟岋]"
    ),
    "replacement": re.compile("\ufffd"),
    "control": re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"),
    "escape": re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[nrt](?![a-z])"),
    "markup": re.compile(
        r"</?(?:a|abbr|b|blockquote|body|br|code|div|em|font|h[1-6]|head|hr|html|i|iframe|img|input|li|link|meta|ol|p|pre"
        r"|script|small|span|strong|style|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)(?:\s[^<>\0]{0,500})?/?>"
        r"|&(?:amp|lt|gt|quot|apos|nbsp|hellip|mdash|ndash|[lr][sd]quo|#\d{2,6}|#x[0-9a-f]{2,5});",
        re.IGNORECASE,
    ),
}
"""The first group of mojibake is UTF-8 read as Windows-1252, the last GB 18030 and UTF-8 mistaken for each other."""

MUCH: dict[str, tuple[Severity, float]] = {
    "mojibake": ("problem", 0.01),
    "replacement": ("look", 0.05),
    "escape": ("look", 0.05),
    "markup": ("look", 0.3),
}


def check_characters(material: Material) -> Iterator[Finding]:
    """Finds texts with characters that their author hardly wrote."""
    dataset = material.dataset
    for kind, places in zip(PATTERNS, matching(dataset.texts, list(PATTERNS.values())), strict=True):
        if places:
            severity, share = MUCH.get(kind, ("look", 1.0))
            much = severity if len(places) > share * len(dataset) else None
            show = partial(_shown, PATTERNS[kind])
            yield finding(kind, material.role, dataset, places, severity=much, show=show)


def _shown(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return around(text, found.start() if found else 0)
