from pathlib import Path

import pytest
from jinja2 import UndefinedError

from training.artifacts.template import render


def test_numbers_and_cells_are_written_for_a_person(tmp_path: Path) -> None:
    template = tmp_path / "a.jinja"
    template.write_text("{{ a | figure }} {{ b | count }} {{ c | duration }} | {{ d | cell }} |\n", encoding="utf-8")
    assert render(template, a=1 / 3, b=12345, c=61.0, d="x|\ny") == "0.3333 12,345 1:01 | x\\| y |\n"


def test_a_name_without_a_value_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_text("{{ scores }}", encoding="utf-8")
    with pytest.raises(UndefinedError, match="'scores' is undefined"):
        render(tmp_path / "a.jinja", score=1)


def test_only_a_page_escapes_its_values(tmp_path: Path) -> None:
    for name, written in (("a.md.jinja", "<b> 50.0%"), ("a.html.jinja", "&lt;b&gt; 50.0%")):
        (tmp_path / name).write_text("{{ text }} {{ share | percent }}", encoding="utf-8")
        assert render(tmp_path / name, text="<b>", share=0.5) == written
