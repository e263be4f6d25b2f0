import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from tables.columns import LOGGER, Columns, choose_columns, choose_texts, column_names, named_as_weights
from tables.errors import MissingColumnError, TableError
from tables.reading import BadRow
from tests.tables.samples import write

TEXTS = [f"a room number {n}, warm and quiet" for n in range(8)]


def table(path: Path, *names: str, **columns: Sequence[object]) -> Path:
    """A CSV file of eight rows: texts under each of the names, and the other columns."""
    header = [*names, *columns]
    lines = [";".join(header)]
    for row, text in enumerate(TEXTS):
        cells = [f'"{name} {text}"' for name in names] + [str(column[row % len(column)]) for column in columns.values()]
        lines.append(";".join(cells))
    return write(path, "\ufeff" + "\r\n".join(lines))


def chosen(path: Path, text: str | None = None, label: str | None = None) -> Columns:
    return choose_columns(path, text, label)


def test_text_and_label_need_no_saying(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = table(tmp_path / "a.csv", "text", "title", label=["a", "b"], category=["x", "y"])
    with caplog.at_level(logging.INFO, LOGGER.name):
        assert chosen(path) == Columns()
    assert not caplog.messages


@pytest.mark.parametrize(
    ("names", "columns", "found"),
    [
        (["review"], {"id": range(8), "sentiment": ["pos", "neg"]}, Columns(("review",), ("sentiment",))),
        (["Review"], {"Class": [1, 2]}, Columns(("Review",), ("Class",))),
        (["what they said"], {"id": range(8), "verdict": ["a", "b"]}, Columns(("what they said",), ("verdict",))),
        (["评论"], {"标签": ["好", "差"]}, Columns(("评论",), ("标签",))),
        (["text"], {"weight": [1, 2], "spam": [0, 1]}, Columns(("text",), ("spam",))),
        (["text"], {"food": [0, 1], "room": [1, 0], "n": range(8)}, Columns(("text",), ("food", "room"))),
        (["text"], {"pos": ["0,9", "0,2"], "neg": ["0,1", "0,8"]}, Columns(("text",), ("pos", "neg"))),
    ],
)
def test_the_one_plausible_choice_is_taken_and_said(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    names: list[str],
    columns: dict[str, Sequence[object]],
    found: Columns,
) -> None:
    path = table(tmp_path / "a.csv", *names, **columns)
    with caplog.at_level(logging.INFO, LOGGER.name):
        assert chosen(path) == found
    (line,) = caplog.messages
    assert line.startswith(f"{path}: texts found in column '{found.texts[0]}', labels found in ")
    assert all(f"'{name}'" in line for name in found.labels)


def test_lists_and_maps_are_labels(tmp_path: Path) -> None:
    rows = "".join(f'{{"text": "{text}", "topics": ["a"], "id": {n}}}\n' for n, text in enumerate(TEXTS))
    assert chosen(write(tmp_path / "a.jsonl", rows)).labels == ("topics",)
    rows = "".join(f'{{"text": "{text}", "votes": {{"a": 0.{n}}}, "id": {n}}}\n' for n, text in enumerate(TEXTS))
    assert chosen(write(tmp_path / "b.jsonl", rows)).labels == ("votes",)


@pytest.mark.parametrize(
    ("names", "columns", "cause"),
    [
        (
            ["title", "body"],
            {"label": [1, 2]},
            "may hold the texts: 'title', 'body'; say which with --text-column NAME",
        ),
        (["title", "body"], {"label": [1, 2]}, "or --text-column 'title,body' for all of them"),
        (["text"], {"topic": ["a", "b"], "rating": [1, 2]}, "may hold the labels: 'topic', 'rating'; say which with"),
        (["text"], {"kind": ["a", "b"], "spam": [0, 1]}, "several columns may hold the labels: 'kind', 'spam'"),
        ([], {"id": range(8), "label": ["a"]}, "no column looks like that of the texts; the file has 'id', 'label'"),
        (["text"], {"id": range(8)}, "no column looks like that of the labels; the file has 'text', 'id'"),
    ],
)
def test_several_and_none_are_refused_with_what_there_is(
    tmp_path: Path, names: list[str], columns: dict[str, Sequence[object]], cause: str
) -> None:
    path = table(tmp_path / "a.csv", *names, **columns)
    with pytest.raises(TableError) as caught:
        chosen(path)
    assert str(path) in str(caught.value)
    assert cause in caught.value.cause


def test_a_row_in_place_of_a_header_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "".join(f"{text}\t{'ab'[n % 2]}\n" for n, text in enumerate(TEXTS)))
    with pytest.raises(TableError, match="the first line looks like a row, since 'a' is a value of other rows too"):
        chosen(path)


def test_several_names_have_commas_between_them(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "title", "body", "a, b", x=[0, 1], y=[1, 0], sep=";")
    assert chosen(path, "title,BODY", "x, y") == Columns(("title", "BODY"), ("x", "y"))
    assert chosen(path, "a, b", "x") == Columns(("a, b",), ("x",))
    assert choose_texts(path, "title,body") == ("title", "body")
    with pytest.raises(MissingColumnError, match=r"a\.csv: no column 'none'; the file has 'title', 'body', 'a, b'"):
        chosen(path, "title,none", "x")


def test_columns_of_a_table_that_belongs_to_it_are_preferred(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "title", "body", x=[0, 1], y=[1, 0], label=["a", "b"])
    prefer = Columns(("title", "body"), ("x", "y"))
    assert choose_columns(path, None, None, prefer=prefer) == prefer
    assert choose_columns(path, "title", None, prefer=prefer) == Columns(("title",), ("x", "y"))
    assert choose_columns(path, "title", None, prefer=Columns(("title",), ("z",))) == Columns(("title",), ("label",))


def test_a_column_that_is_something_else_is_none_of_labels(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "text", spam=[0, 1], votes=[1, 2, 3])
    with pytest.raises(TableError, match="several columns may hold the labels"):
        chosen(path)
    assert choose_columns(path, None, None, but_not=["Votes"]) == Columns(("text",), ("spam",))


def test_a_column_in_use_as_another_is_named_where_no_other_fits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,message,category\n1,a good day,x\n2,a bad day,y\n3,what a day,x\n4,one more day,y\n")
    with pytest.raises(MissingColumnError, match="'message' is in use as another column, such as --weight-column"):
        choose_columns(path, None, None, but_not=["message"])


def test_a_usual_name_needs_no_words(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "review\tstars\n" + "".join(f"fine{n}\t{n % 2}\n" for n in range(9)))
    assert chosen(path) == Columns(("review",), ("stars",))
    path = write(tmp_path / "b.tsv", "post\treview\tstars\n" + "".join(f"{n}\tfine{n}\t{n % 2}\n" for n in range(9)))
    assert chosen(path) == Columns(("review",), ("stars",))  # a number is no post


def test_a_file_without_rows_has_the_usual_columns(tmp_path: Path) -> None:
    assert chosen(write(tmp_path / "a.csv", "review,stars\n")) == Columns()


def test_of_several_files_the_line_names_the_one_that_was_looked_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [table(tmp_path / f"{name}.csv", "message", label=["x", "y"]) for name in "ab"]
    with caplog.at_level(logging.INFO, LOGGER.name):
        choose_columns(files, None, None)
        choose_texts(files, None)
    assert caplog.messages == [
        f"{files[0]}: texts found in column 'message', labels found in column 'label'",
        f"{files[0]}: texts found in column 'message'",
    ]


def test_rows_that_cannot_be_read_do_not_hide_the_columns_if_they_are_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"review": "one"}\n{"review": "tw\n')
    refused: list[BadRow] = []
    assert choose_texts(path, None, refuse=refused.append) == ("review",)
    assert [bad.row.number for bad in refused] == [2]
    with pytest.raises(TableError, match="not valid JSON"):
        choose_texts(path, None)


def test_names_of_columns_and_those_that_weights_have(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,Sample  Weight,label\na text,2,x\n")
    names = column_names(tmp_path / "a.csv")
    assert names == ["text", "Sample  Weight", "label"]
    assert named_as_weights(names) == ["Sample  Weight"]
