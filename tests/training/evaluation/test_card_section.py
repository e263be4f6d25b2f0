"""Sections that are put into a card after training."""

import pytest

from training.evaluation.card_section import put_section

CARD = "# x\n\nAbout.\n\n## Data\n\n| a |\n\n## Limits\n\n- none\n"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (["## Data"], ["## New", "## Data", "## Limits"]),
        (["## Limits"], ["## Data", "## New", "## Limits"]),
        (["## Limits", "## Data"], ["## New", "## Data", "## Limits"]),
        (["## Other"], ["## Data", "## Limits", "## New"]),
    ],
)
def test_a_section_stands_before_the_first_that_is_named_or_at_the_end(before: list[str], expected: list[str]) -> None:
    card = put_section(CARD, "## New\n\nfirst", before=before)
    assert [line for line in card.splitlines() if line.startswith("## ")] == expected
    assert card.replace("## New\n\nfirst\n\n", "").replace("\n\n## New\n\nfirst", "") == CARD


def test_an_older_one_gives_way_and_nothing_else_does() -> None:
    card = put_section(CARD, "## New\n\nfirst\n\n### of it\n", before=["## Data"])
    card = put_section(card, "## Next\n\nother", before=["## Data"])
    again = put_section(card, "## New\n\nsecond", before=["## Limits"])
    assert again == card.replace("first\n\n### of it", "second")
    assert put_section(again, "## New\n\nsecond", before=[]) == again
