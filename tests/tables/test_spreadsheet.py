import datetime
import io
import zipfile
from pathlib import Path

import pytest

from tables.errors import TableError
from tables.reader import read_columns
from tests.tables.samples import BOTH, error_of, rows, values, write

SHEETS = """<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>{}</sheets></workbook>"""
TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="xml" ContentType="application/xml"/>
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>"""
LINKS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
LINK = (
    '<Relationship Id="{}" Target="{}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}"/>'
)


def workbook(**sheets: list[list[str | float | bool | None]]) -> bytes:
    """An .xlsx file. Source: ECMA-376, part 1, 18.3 (worksheets; `t` is the type of a cell)."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", LINKS.format(LINK.format("r0", "xl/workbook.xml", "officeDocument")))
        names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
        archive.writestr("xl/workbook.xml", SHEETS.format(names))
        links = "".join(LINK.format(f"r{n}", f"worksheets/{n}.xml", "worksheet") for n in range(1, len(sheets) + 1))
        archive.writestr("xl/_rels/workbook.xml.rels", LINKS.format(links))
        for number, table in enumerate(sheets.values(), 1):
            lines = "".join(f'<row r="{n}">{"".join(map(cell, row))}</row>' for n, row in enumerate(table, 1))
            archive.writestr(
                f"xl/worksheets/{number}.xml",
                '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
                f"<sheetData>{lines}</sheetData></worksheet>",
            )
    return output.getvalue()


def cell(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
    return "<c/>" if value is None else f"<c><v>{value}</v></c>"


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a"])
def test_a_spreadsheet_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    table: list[list[str | float | bool | None]] = [
        ["text", "label"],
        ["Good, warm", 1.0],
        [None, None],
        ["好\n吃", True],
        [" bad", 0.5],
        ["no", None],
    ]
    path = write(tmp_path / name, workbook(Sheet1=table))
    assert values(path) == {"text": ["Good, warm", "好\n吃", " bad", "no"], "label": [1, True, 0.5, None]}
    assert rows(path) == ["row 1 (line 2)", "row 2 (line 4)", "row 3 (line 5)", "row 4 (line 6)"]
    assert read_columns(path, BOTH)[0].readings[0].describe() == f"{path}: 4 rows; spreadsheet; 1 empty row passed over"


def test_the_sheet_that_has_the_columns_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xlsx", workbook(Notes=[["read me"]], Empty=[], Data=[[], ["Text ", "label"], ["a", "x"]])
    )
    assert values(path) == {"text": ["a"], "label": ["x"]}
    said = read_columns(path, BOTH)[0].readings[0].describe()
    assert "of 2 sheets 'Data' is read; column 'Text ' taken for 'text'" in said


def test_a_sheet_is_read_by_its_name(tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | float | bool | None]]] = {}
    for name, text in (("2024", "old"), ("2025", "new")):
        sheets[name] = [["text", "label"], [text, "x"]]
    path = write(tmp_path / "a.xlsx", workbook(**sheets))
    assert values(path)["text"] == ["old"]
    (texts,) = read_columns(path, ["text"], sheet="2025")
    assert texts.values == ["new"]
    assert texts.readings[0].describe() == f"{path}: 1 row; spreadsheet; sheet '2025' is read"
    with pytest.raises(TableError, match=r"a\.xlsx: no sheet '2026'; it has '2024', '2025'"):
        read_columns(path, ["text"], sheet="2026")
    with pytest.raises(TableError, match=r"a\.csv: is no spreadsheet, so it has no sheet '2026'"):
        read_columns(write(tmp_path / "a.csv", "text\na\n"), ["text"], sheet="2026")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (workbook(One=[]), "is empty"),
        (workbook(One=[["review", "label"], ["a", "x"]]), "no column 'text'; the file has 'review', 'label'"),
        (workbook(One=[["text", "label"]])[:300], "not a readable spreadsheet"),
    ],
)
def test_unusable_spreadsheets(tmp_path: Path, content: bytes, cause: str) -> None:
    assert cause in error_of(write(tmp_path / "a.xlsx", content)).cause


def test_another_archive_is_no_spreadsheet(tmp_path: Path) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("train.csv", "text,label\n")
    assert error_of(write(tmp_path / "a.csv", output.getvalue())).cause == (
        "is a ZIP archive; unpack it first (it holds train.csv)"
    )


def test_dates_become_text() -> None:
    from tables.spreadsheet import as_json

    assert as_json(datetime.date(2026, 1, 31)) == '"2026-01-31"'
