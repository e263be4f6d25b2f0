import re

from benchmarks.shown.text import filled
from benchmarks.simulation.page import PAGE, blocks


def test_the_page_shows_what_the_commands_print() -> None:
    page, found = PAGE.read_text("utf-8"), blocks()
    assert set(re.findall(r"<!-- /([\w-]+) -->", page)) == set(found)
    assert filled(page, found) == page, "python -m benchmarks.simulation write"
