"""docs/operations.md names every setting, metric, error, log field and alert, with its value, and none that is gone."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic_core import PydanticUndefined

from app.config.settings import OPTIONS, env_name
from app.core.errors import TABLE, Row
from app.telemetry.families import FAMILIES

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "operations.md"

FORMATTER = {"time", "level", "logger", "message", "exception", "at"}
"""Fields of the log that the formatter itself writes."""


@cache
def table(section: str) -> dict[str, list[str]]:
    """The rows of a section's table by the code in their first cell; the further cells."""
    text = DOCUMENT.read_text("utf-8")
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    rows = [line.strip("|").split("|") for line in body.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert all(len(row) >= 2 and row[-1] for row in cells), "a row tells nothing"
    # A heading may be code as well: it is followed by the line of dashes, rows are not.
    headings = {line.split("|")[1].strip() for line in re.findall(r"^(\|.*)\n\| ---", body, re.MULTILINE)}
    found = {row[0].strip("`"): row[1:] for row in cells if row[0] not in headings}
    assert len(found) == len([row for row in cells if row[0] not in headings]), f"{section}: a row is there twice"
    return found


def settings() -> set[str]:
    return {env_name(field) for field in OPTIONS}


def metrics() -> set[str]:
    return {f"{family.name}_total" if family.kind == "counter" else family.name for family in FAMILIES}


def errors() -> set[str]:
    return {row.code for row in TABLE.values()}


def alerts() -> set[str]:
    return {name for path in (ROOT / "deploy").rglob("*.y*ml") for name in _alerts_in(path)}


def _alerts_in(path: Path) -> Iterator[str]:
    waiting: list[object] = list(yaml.safe_load_all(path.read_text("utf-8")))
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("alert"), str) and "expr" in node:
                yield node["alert"]
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def log_fields() -> set[str]:
    """The keys of every dictionary that is called `extra` in app/."""
    fields = set(FORMATTER)
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.keyword(arg="extra", value=value) | ast.Assign(targets=[ast.Name(id="extra")], value=value):
                    parts = [part for part in ast.walk(value) if isinstance(part, ast.Dict)]
                case _:
                    continue
            fields |= {str(key.value) for part in parts for key in part.keys if isinstance(key, ast.Constant)}
    return fields


@pytest.mark.parametrize(
    ("section", "wanted"),
    [("Settings", settings), ("Metrics", metrics), ("Errors", errors), ("Alerts", alerts), ("Log", log_fields)],
    ids=["settings", "metrics", "errors", "alerts", "log fields"],
)
def test_each_has_its_row_and_each_row_is_of_one(section: str, wanted: Callable[[], set[str]]) -> None:
    named, there = set(table(section)), wanted()
    missing, stale = (", ".join(sorted(names)) for names in (there - named, named - there))
    assert not missing, f"docs/operations.md, section {section}, lacks a row for: {missing}"
    assert not stale, f"docs/operations.md, section {section}, tells of what is gone: {stale}"


@pytest.mark.parametrize("field", OPTIONS)
def test_a_default_is_that_of_the_code(field: str) -> None:
    default = OPTIONS[field].field.default
    shown = table("Settings")[env_name(field)][0].strip("`")
    if isinstance(default, dict):
        assert ", ".join(str(path.relative_to(ROOT)) for path in default.values()) == shown
    elif default is not PydanticUndefined:
        assert shown == str(default), f"docs/operations.md, {env_name(field)}: the default is {default}"


@pytest.mark.parametrize("row", {row.code: row for row in TABLE.values()}.values(), ids=lambda row: row.code)
def test_a_status_is_that_of_the_code(row: Row) -> None:
    assert table("Errors")[row.code][0] == str(row.status)


def test_a_missing_row_would_be_seen() -> None:
    with pytest.raises(AssertionError, match="section Errors, lacks a row for: new_error"):
        test_each_has_its_row_and_each_row_is_of_one("Errors", lambda: errors() | {"new_error"})
    with pytest.raises(AssertionError, match="section Log, tells of what is gone: ms"):
        test_each_has_its_row_and_each_row_is_of_one("Log", lambda: log_fields() - {"ms"})


def test_alerts_are_found_however_they_are_nested(tmp_path: Path) -> None:
    rules = {"groups": [{"rules": [{"alert": "Burning", "expr": "up == 0"}, {"record": "x", "expr": "y"}]}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    assert list(_alerts_in(tmp_path / "rules.yaml")) == ["Burning"]
