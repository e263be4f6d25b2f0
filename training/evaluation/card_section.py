"""Puts a section into the card of a finished checkpoint, for what is measured after training."""

import re
from collections.abc import Sequence

_HEADINGS = re.compile(r"^(?=## )", re.MULTILINE)


def put_section(card: str, section: str, *, before: Sequence[str]) -> str:
    """Puts a section of Markdown, which begins with its heading, into a card; other sections stay as they are.

    It takes the place of the section with the same heading; else it stands before the first section whose heading is
    among `before`, else at the end.
    """
    heading = _heading(section)
    parts = _HEADINGS.split(card)
    headings = [_heading(part) for part in parts]
    if heading in headings:
        place = headings.index(heading)
        del parts[place]
    else:
        place = next((at for at, found in enumerate(headings) if found in before), len(parts))
    return "\n\n".join(part.strip() for part in [*parts[:place], section, *parts[place:]] if part.strip()) + "\n"


def _heading(section: str) -> str:
    return section.partition("\n")[0].rstrip()
