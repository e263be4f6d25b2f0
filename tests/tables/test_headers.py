import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tables.columns import choose_columns, choose_texts
from tables.errors import TableError
from tables.headers import names_texts, why_no_header
from tables.reader import read_columns
from tables.reading import Reading
from tables.sources import find_parts
from tests.tables.samples import write

SENTENCES = ["A gripping film.", "Dull from start to end.", "Never again!", "Would I see it twice?"]


@pytest.mark.parametrize(
    "name",
    ["text", "Review text", "customer_comment", "评论内容", "用户评价", "Your feedback?", "Ｔext ", "open answer (de)"],
)
def test_names_of_texts(name: str) -> None:
    assert names_texts(name)
    assert why_no_header(name, {name: SENTENCES, "1": ["1", "2"]}) == ""


@pytest.mark.parametrize(
    "name", ["good film", "The review that I wrote for you.", "这部电影很好看，评论也很中肯", "A good review.", ""]
)
def test_texts_are_no_names_of_texts(name: str) -> None:
    assert not names_texts(name)


@pytest.mark.parametrize(
    ("name", "others", "cause"),
    [
        ("good film", {"1": ["2"]}, "'1' is a number as in the rows below"),
        ("good film", {"0,5": ["0,25", "1"]}, "'0,5' is a number as in the rows below"),
        ("good film", {"pos": ["neg", "pos", ""]}, "'pos' is a value of other rows too"),
        ("A film that I would see again.", {}, "'A film that I would see again.' reads like a text"),
        ("Would I see it again?", {"Ann": ["Bob"]}, "'Would I see it again?' reads like a text"),
        ("一部让人从头笑到尾、看完还想再看的好电影", {}, "reads like a text"),
        (
            "what I liked most was the room and the bath and the bed",
            {},
            "'what I liked most was the room and the b…' reads like a text",
        ),
    ],
)
def test_a_row_in_place_of_names(name: str, others: Mapping[str, Sequence[object]], cause: str) -> None:
    texts = [*SENTENCES, "Is it worth it?", "很" * 30 + "。", "x " * 60]
    assert cause in why_no_header(name, {name: texts, **others})


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("what they said", {}),
        ("customer voice", {"2021": ["a", "b"], "note": ["", None]}),
        ("what was good", {"Other": ["Other", ""]}),  # a form writes the name of what was ticked
        (
            "How was your stay with us and what could we do better?",
            {"Timestamp": ["2024-05-01 10:00", "2024-05-02 11:00"]},
        ),
        ("How was it, all in all", {"label": ["x"], "1": ["2"]}),
        ("0", {"1": ["1", "0"]}),  # pandas numbers columns without a name
    ],
)
def test_names_are_no_rows(name: str, others: Mapping[str, Sequence[object]]) -> None:
    assert why_no_header(name, {name: SENTENCES, **others}) == ""


def test_a_row_in_place_of_names_is_refused_unless_it_is_said_to_be_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "good film,1\nbad film,2\n")
    sentence = "'1' is a number as in the rows below; put a line with names before it, such as text,label; or, if it is"
    for choose in (lambda: choose_texts(path, None), lambda: choose_columns(path, None, None)):
        with pytest.raises(TableError, match=re.escape(f"a.csv: the first line looks like a row, since {sentence}")):
            choose()
    assert choose_texts(path, "good film") == ("good film",)
    path = write(tmp_path / "a.jsonl", '{"good film": "bad film", "1": "2"}\n')  # keys are no line of a file
    assert choose_texts(path, None) == ("good film",)


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.txt", "good film\r\n\r\nbad film\r\n", ["good film", "bad film"]),
        (
            "a.TXT",
            'Good, very good\n"Bad\nFine; or not, or so\nDull\n',
            ["Good, very good", '"Bad', "Fine; or not, or so", "Dull"],
        ),
        ("a.txt", "很好看\n太长了，不好看\n", ["很好看", "太长了，不好看"]),
        ("a.txt", "I wrote a review, as asked\nDull\nA, b, c\n", ["I wrote a review, as asked", "Dull", "A, b, c"]),
        ("a.txt", "review\ngood film\n", ["good film"]),
        ("a.txt", "customer comment\ngood film\n", ["good film"]),
        ("a.txt", "id\ttext\n1\tgood film\n", ["good film"]),
        ("a.csv", "what they said\ngood film\n", ["good film"]),
    ],
)
def test_a_txt_file_without_names_has_a_text_on_each_line(
    tmp_path: Path, name: str, content: str, texts: list[str]
) -> None:
    path = write(tmp_path / name, content)
    (column,) = read_columns(path, choose_texts(path, None))
    assert column.values == texts
    reading: Reading = column.readings[0]
    assert reading.lines == content.count("\n") == reading.header_lines + reading.rows + reading.empty
    assert ("one text a line" in reading.describe()) == (reading.header_lines == 0)
    assert find_parts(path)[0].path == path


def test_a_named_column_is_looked_for_in_a_txt_file_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "good film\nbad film\n")
    (column,) = read_columns(path, ["good film"])
    assert column.values == ["bad film"]
