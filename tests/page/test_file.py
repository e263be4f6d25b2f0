"""The view of a file: what is dropped or chosen, scored through the real stream, and given back."""

import ast
import base64
import csv
import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Page, Route, expect

from tables.names import folded
from tests.page.conftest import Visit
from tests.tables.cases import CASES
from tests.tables.test_spreadsheet import workbook

NUM_ROWS = 3000
WORDS = [
    "good",
    "bad",
    "film",
    "not",
    "dull",
    "好看",
    "难看",
    "的",
    "电影",
    "never",
    "warm",
    '"so-called"',
    "a,b",
    "c\nd",
]


def rows_of(count: int) -> list[dict[str, str]]:
    draw = random.Random(5)
    return [{"id": str(n), "review": " ".join(draw.choices(WORDS, k=8)), "stars": str(n % 5)} for n in range(count)]


def csv_of(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    output = io.StringIO()
    writer = csv.DictWriter(output, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()


def choose(page: Page, name: str, content: bytes) -> None:
    with page.expect_file_chooser() as waiting:
        page.click("#file-choose")
    waiting.value.set_files({"name": name, "mimeType": "text/csv", "buffer": content})


def drop(page: Page, name: str, content: str) -> None:
    transfer = page.evaluate_handle(
        """([name, content]) => {
          const all = new DataTransfer();
          all.items.add(new File([content], name));
          return all;
        }""",
        [name, content],
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_have_class("panel drop over")
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def predicted(address: str, texts: list[str]) -> list[dict[str, Any]]:
    answers = [
        httpx2.post(f"{address}/predict", json={"inputs": texts[start : start + 1000]}, timeout=60).json()[
            "predictions"
        ]
        for start in range(0, len(texts), 1000)
    ]
    return [entry for answer in answers for entry in answer]


def download(page: Page) -> bytes:
    with page.expect_download() as waiting:
        page.click("#file-download")
    return Path(waiting.value.path()).read_bytes()


def test_thousands_of_rows_there_and_back(visit: Visit, address: str, tmp_path: Path) -> None:
    page = visit.open("/#file", wait="#file-choose")
    visit.check_access()
    rows = rows_of(NUM_ROWS)
    drop(page, "reviews.csv", csv_of(rows))
    expect(page.locator("#file-state")).to_contain_text("reviews.csv: 3,000 rows, UTF-8 · ")
    assert page.locator("#file-column").evaluate("(node) => node.selectedOptions[0].textContent") == "review"
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("3,000 rows in", timeout=60_000)
    expect(page.locator("#file-done")).to_contain_text("0 failed")
    # The download: every row as it was, in its order, with the scores that /predict gives.
    content = download(page).decode()
    found = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    expected = predicted(address, [row["review"] for row in rows])
    for row, entry in zip(found, expected, strict=True):
        scores = {score["label"]: score["score"] for score in entry["scores"]}
        assert row["error"] == ""
        assert all(abs(float(row[f"probability_{label}"]) - score) < 0.02 for label, score in scores.items())
        assert abs(float(row["predicted_score"]) - max(scores.values())) < 0.02
    # The shares, and the rows of one label page by page.
    num_positive = sum(row["predicted_label"] == "positive" for row in found)
    share = page.locator("#file-shares li", has_text="positive").locator(".number")
    expect(share).to_contain_text(f"{num_positive:,} · {num_positive / NUM_ROWS:.1%}")
    expect(page.locator("#file-table tbody tr")).to_have_count(50)
    expect(page.locator("#file-page")).to_have_text("1 of 60")
    page.click("#file-next")
    expect(page.locator("#file-table tbody tr td").first).to_have_text("51")
    page.click("#file-back")
    expect(page.locator("#file-back")).to_be_disabled()
    page.select_option("#file-filter", label="positive")
    numbers = [n for n, row in enumerate(found, 1) if row["predicted_label"] == "positive"][:50]
    shown = page.locator("#file-table tbody tr td:first-child").all_inner_texts()
    assert [int(number.replace(",", "")) for number in shown] == numbers
    visit.shoot("file")
    visit.check_access()
    # The call that is shown for it.
    page.locator('input[name="code"][value="python"]').check()
    (tmp_path / "reviews.csv").write_text(csv_of(rows[:5]), "utf-8", newline="")
    code = page.locator("#code").inner_text()
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    labels = [ast.literal_eval(line)["label"] for line in run.stdout.splitlines()]
    assert labels == [row["predicted_label"] for row in found[:5]]
    page.locator('input[name="code"][value="curl"]').check()
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps({"inputs": row["review"]}) + "\n" for row in rows[:5]))
    code = page.locator("#code").inner_text()
    run = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [json.loads(line)["label"] for line in run.stdout.splitlines()] == labels


def test_the_call_for_a_file_reads_it_in_its_encoding_or_asks_for_lines(visit: Visit) -> None:
    page = visit.open("/#file", wait="#file-choose")
    page.locator('input[name="code"][value="python"]').check()
    table = "id\ttext\n1\t很好看的电影\n"
    for name, content, told in (
        ("a.tsv", table.encode("gb18030"), 'open("a.tsv", newline="", encoding="gb18030")'),
        ("b.tsv", table.encode("utf-16"), 'encoding="utf-16")'),
        ("c.jsonl", b'{"text": "a"}\n', 'open("lines.jsonl"'),
        ("d.tsv.gz", gzip.compress(table.encode()), 'open("lines.jsonl"'),
        ("e.csv", b"sep=;\ntext;id\ngood;1\n", 'open("lines.jsonl"'),
        ("f.csv", b"text,text\ngood,bad\n", 'open("lines.jsonl"'),
    ):
        choose(page, name, content)
        expect(page.locator("#file-state")).to_contain_text(name)
        expect(page.locator("#code")).to_contain_text(told)


def test_other_kinds_of_files_columns_and_texts_that_fail(visit: Visit) -> None:
    page = visit.open("/#file", wait="#file-choose")
    choose(page, "a.tsv", "id\t内容\n1\t很好看的电影\n2\t难看\n".encode("gb18030"))
    expect(page.locator("#file-state")).to_have_text("a.tsv: 2 rows, GB18030")
    expect(page.locator("#file-column option")).to_have_text(["id", "内容"])
    expect(page.locator("#file-column")).to_have_value("1")
    page.uncheck("#file-header")
    expect(page.locator("#file-column option")).to_have_text(["Column 1", "Column 2"])
    page.select_option("#file-column", "1")
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("3 rows in")
    assert download(page).decode("utf-8-sig").splitlines()[1].startswith("id\t内容\t")
    # One text a line; one of them is longer than the server takes.
    choose(page, "lines.txt", b"first, with a comma\r\n\r\n" + b"x" * 1_200_000 + b"\nlast")
    expect(page.locator("#file-state")).to_have_text("lines.txt: 3 rows, UTF-8")
    expect(page.locator("#file-header")).to_be_hidden()
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("3 rows in")
    expect(page.locator("#file-done")).to_contain_text("1 failed")
    page.select_option("#file-filter", label="failed")
    expect(page.locator("#file-table tbody td").first).to_have_text("2")
    choose(page, "empty.csv", b"\n\n")
    expect(page.locator("#file-state")).to_have_text("There is no row in empty.csv.")


def test_rows_without_a_text_fail_as_on_the_command_line(visit: Visit) -> None:
    page = visit.open("/#file", wait="#file-choose")
    choose(page, "a.csv", b"id,text\n1,A good film.\n2,\n3,A fine film.\n4,  \n")
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("4 rows in")
    expect(page.locator("#file-done")).to_contain_text("2 failed")
    expect(page.locator("#file-shares li", has_text="failed").locator(".number")).to_contain_text("2 · 50.0%")
    expect(page.locator("#file-shares li", has_text="neutral").locator(".number")).to_contain_text("0 · 0.0%")
    found = list(csv.DictReader(io.StringIO(download(page).decode(), newline="")))
    assert [row["error"] for row in found] == ["", "has no text", "", "has no text"]
    choose(page, "b.csv", b"id,text\n1,\n2,\n")
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("2 failed")


def test_a_busy_server_is_waited_for_and_cancel_ends_it(visit: Visit) -> None:
    visit.expected.append("503")
    refusals = [503, 503]
    held: list[Route] = []

    def handle(route: Route) -> None:
        lines = (route.request.post_data or "").splitlines()
        if refusals:
            route.fulfill(status=refusals.pop(), headers={"Retry-After": "0.1"}, json={"detail": "busy"})
        elif len(lines) > 1 and "overload" not in asked:
            # Lines that find no room have their own error in an answer with status 200.
            asked.append("overload")
            busy = {"error": {"type": "overloaded", "detail": "no room"}}
            route.fulfill(body="".join(json.dumps({"line": n} | busy) + "\n" for n in range(1, len(lines) + 1)))
        elif "hold" in asked:
            held.append(route)
        else:
            route.fallback()

    asked: list[str] = []
    page = visit.page
    page.route("**/predict/stream*", handle)
    visit.open("/#file", wait="#file-choose")
    choose(page, "a.csv", csv_of(rows_of(2500)).encode())
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("2,500 rows in", timeout=60_000)
    expect(page.locator("#file-done")).to_contain_text("0 failed")
    assert not refusals
    asked.append("hold")
    page.click("#file-start")
    expect(page.locator("#file-progress")).to_be_visible()
    page.click("#file-cancel")
    expect(page.locator("#file-done")).to_have_text("Cancelled after 0 rows.")
    expect(page.locator("#file-start")).to_be_visible()
    assert 1 <= len(held) <= 3


# --- the reader, by the files of the command line's ---


def test_a_file_is_read_as_the_command_line_reads_it(visit: Visit) -> None:
    visit.open("/#file", wait="#file-choose")
    cases = [case for case in CASES if case.in_page]
    found = visit.page.evaluate(
        """async (files) => {
          const { readFile } = await import("/page/csv.js");
          const read = async ({ name, content }) => {
            const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
            try {
              return await readFile(new File([bytes], name));
            } catch (error) {
              return { error: String(error) };
            }
          };
          return Promise.all(files.map(read));
        }""",
        [{"name": case.name, "content": base64.b64encode(case.content).decode()} for case in cases],
    )
    for case, read in zip(cases, found, strict=True):
        assert "error" not in read, (case.name, read)
        header, *rows = read["rows"]
        names = [folded(name) for name in header]
        places = [names.index(name) for name in ("text", "label")]
        pairs = [tuple(row[place] if place < len(row) else "" for place in places) for row in rows]
        assert pairs == case.rows, case.name
        counts = read["counts"]
        lone = sum("does not enclose" in part for part in case.said)
        assert (counts["literal"] > 0) >= (lone > 0), (case.name, counts)
        assert (counts["leftOut"] > 0) == any("left out" in part for part in case.said), case.name


def test_what_was_done_to_a_file_is_said(visit: Visit) -> None:
    page = visit.open("/#file", wait="#file-choose")
    choose(page, "a.csv", b'text;label\n"Bad from here;neg\n;\nGood;pos\nto there";neg\na;b;c\nFine;pos\n')
    expect(page.locator("#file-state")).to_have_text(
        "a.csv: 4 rows, UTF-8 · separated by semicolons · empty rows passed over: 1 · rows left out, with more fields "
        "than the first: 1 · rows with a quotation mark that does not enclose a field, read as part of the text: 1"
    )


SHEET = workbook(Sheet1=[["text", "label"], ["Good", "pos"]])
OPEN_DOCUMENT = b"PK\x03\x04\x14\0\0\0\0\0" + bytes(16) + b"\x08\0\0\0mimetype" + bytes(200)
OLD_SHEET = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)
TABLE = b"text,label\nGood,pos\nBad,neg\n"
UNREADABLE = {
    "is a spreadsheet, another Office file or an archive. Save the table as CSV (in Excel: Save as, CSV UTF-8) and "
    "choose that file.": {
        "a.xlsx": SHEET,
        "really a sheet.csv": SHEET,
        "a.xls": OLD_SHEET,
        "a.ods": OPEN_DOCUMENT,
        "a.xlsx.gz": gzip.compress(SHEET),
        "a.xls.gz": gzip.compress(OLD_SHEET),
    },
    "is no text. Save the table as CSV, TSV or JSON and choose that file.": {
        "a.parquet": b"PAR1" + b"text" * 100 + b"PAR1",
        "a.pdf": b"%PDF-1.7\n" + b"1 0 obj" * 100,
        "bytes.csv": bytes(range(256)) * 9,
        "twice.csv.gz": gzip.compress(gzip.compress(TABLE)),
    },
    "is a web page or XML, no table. Save the table as CSV and choose that file.": {
        "login.csv": b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
        "export.xls": b"<table><tr><td>text</td></tr></table>",
    },
    "is gzip but cannot be unpacked: it is cut off or damaged. Get it once more.": {
        "cut.csv.gz": gzip.compress(TABLE * 1000)[:-20],
        "wrong.csv.gz": b"\x1f\x8b\x08\0" + bytes(range(200)),
    },
}


def test_a_file_that_is_no_text_is_told_what_to_do(visit: Visit) -> None:
    page = visit.open("/#file", wait="#file-choose")
    for sentence, files in UNREADABLE.items():
        for name, content in files.items():
            choose(page, name, content)
            expect(page.locator("#file-state")).to_have_text(f"{name} {sentence}")
            expect(page.locator("#file-setup")).to_be_hidden()
    choose(page, "fine.csv.gz", gzip.compress(TABLE))
    expect(page.locator("#file-state")).to_have_text("fine.csv.gz: 2 rows, UTF-8")


def test_json_that_is_no_table_is_told_where(visit: Visit) -> None:
    page = visit.open("/#file", wait="#file-choose")
    ending = 'no valid JSON object begins here. Each row is one, such as {"text": "…"}; or save the table as CSV.'
    for name, content, line in (
        ("a.jsonl", b'{"text": "a"}\n\n{"text": \n', 3),
        ("b.jsonl", b'{"text": "a"}\n{"text": "b"\n{"text": "c"}\n', 2),
        ("list.json", b'["good", "bad"]', 1),
        ("word.json", b'"good"', 1),
        ("words.jsonl", b'{"text": "a"}\n{"text": "b"}\nplain\n', 3),
    ):
        choose(page, name, content)
        expect(page.locator("#file-state")).to_have_text(f"{name}, line {line}: {ending}")


def random_field(draw: random.Random) -> str:
    return "".join(draw.choices(["a", "好", '"', ",", ";", "\n", "\r\n", "\r", " ", "\t", "😀"], k=draw.randrange(6)))


def test_the_reader_reads_what_python_writes(visit: Visit) -> None:
    draw = random.Random(0)
    cases = []
    for _ in range(200):
        rows = [[random_field(draw) for _ in range(3)] for _ in range(draw.randrange(1, 5))]
        rows = [row for row in [["one", "two", "three"], *rows] if any(field.strip() for field in row)]
        delimiter, ending = draw.choice(",;\t"), draw.choice(["\r\n", "\n"])
        output = io.StringIO(newline="")
        csv.writer(output, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows(rows)
        text = output.getvalue()
        cases.append({"text": text if draw.random() < 0.5 else text.removesuffix(ending), "rows": rows})
    visit.open("/#file", wait="#file-choose")
    found = visit.page.evaluate(
        """async (texts) => {
          const { readFile } = await import("/page/csv.js");
          const read = async (text) => (await readFile(new File([text], "a.csv"))).rows;
          return Promise.all(texts.map(read));
        }""",
        [case["text"] for case in cases],
    )
    assert found == [case["rows"] for case in cases]


def test_separators_quotation_marks_and_lines_that_are_written(visit: Visit) -> None:
    visit.open("/#file", wait="#file-choose")
    found = visit.page.evaluate(
        """async () => {
          const { csvLine } = await import("/page/csv.js");
          const { Dialect, findDialect } = await import("/page/dialect.js");
          return {
            line: csvLine(["a", 'b"c', "d,e", "f\\ng", 1], ","),
            split: new Dialect(",").split('"a, ""b"" c",d "e",,"f" g'),
            loose: new Dialect(",").splitLoose('"a "b" c, d",e,"f ""g"" h"'),
            open: new Dialect(",").splitLoose('"a "b" c'),
            separators: [
              findDialect(['"x;y;z",b']).separator,
              findDialect(["a;b,c;d"]).separator,
              findDialect(["a"]).separator,
              findDialect(["a\\tb", "1,2\\t3"]).separator,
              findDialect(["'a';'b'"]).quote,
            ],
          };
        }"""
    )
    assert found == {
        "line": 'a,"b""c","d,e","f\ng",1\r\n',
        "split": ['a, "b" c', 'd "e"', "", '"f" g'],
        "loose": ['a "b" c, d', "e", 'f "g" h'],
        "open": None,
        "separators": [",", ";", ",", "\t", "'"],
    }
