import pytest

from tables.dialect import Dialect, find_dialect

WANTED = ("text", "label")


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ("text,label\na;b;c;d,x\n", Dialect(",")),
        ("text;label\na, b, c;x\nd, e, f;y\n", Dialect(";")),
        ("id|label|text\n1|x|a, b\n", Dialect("|")),
        ("text~label\na, b~x\n", Dialect("~")),
        ("'text';'label'\n'a';'b'\n", Dialect(";", "'")),
        ("text; label\na; b\n", Dialect(";", skip_space=True)),
        ('text,label\n"a", "x"\n"b", "y"\n', Dialect(",", skip_space=True)),
        ("SEP=|\ntext|label\n", Dialect("|", named=True)),
        ("", Dialect(",")),
    ],
)
def test_the_separator_is_what_parts_the_wanted_names(beginning: str, expected: Dialect) -> None:
    assert find_dialect(beginning, WANTED) == expected


@pytest.mark.parametrize(
    ("beginning", "separator"),
    [
        ("a;b,c;d\n", ";"),
        ('"x;y;z",b\n', ","),
        ("a\tb\n1,2\t3\n4,5\t6\n", "\t"),
        ("a\n", ","),
        ("a,b\n1;2,3\n4;5;6,7\n", ","),
    ],
)
def test_without_wanted_names_the_separator_is_what_makes_rows_equal(beginning: str, separator: str) -> None:
    assert find_dialect(beginning, ()).separator == separator


def test_a_line_is_split_where_its_quotation_marks_enclose() -> None:
    assert Dialect(",").split('"a, ""b""",c "d",,"e" f') == ['a, "b"', 'c "d"', "", '"e" f']
    assert Dialect(",", skip_space=True).split('a, "b, c"') == ["a", "b, c"]
    assert Dialect(",").split("") == [""]


def test_marks_inside_a_field_need_not_be_doubled() -> None:
    assert Dialect(",").split_loose('"a "b" c, d",e,"f ""g"""') == ['a "b" c, d', "e", 'f "g"']
    assert Dialect(",").split_loose('"a "b" c') is None
    assert Dialect(";", skip_space=True).split_loose('a; "b"') == ["a", "b"]
