"""Files as people bring them, with the rows that a reader must find; the page's reader is tested by them too."""

import gzip
import json
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A file.

    Attributes:
        name: its name, whose ending may say nothing of its content.
        content: its bytes.
        rows: text and label of each row.
        said: parts of the line that the reader says of it.
        in_page: false for what only the command line reads.
    """

    name: str
    content: bytes
    rows: list[Pair]
    said: tuple[str, ...] = ()
    in_page: bool = True


FOUR = [("Warm, quick and cheap", "pos"), ("Never again", "neg"), ("Fine; would return", "pos"), ("Cold | late", "neg")]
CHINESE = [("房间很干净，早餐好吃", "好"), ("空调坏了，没人来修", "差"), ("位置方便", "好"), ("隔音太差", "差")]
RUSSIAN = [("Очень хороший отель, чисто", "да"), ("Плохо, не понравилось", "нет"), ("Вкусная еда", "да")]
JAPANESE = [("とても良いホテルでした", "良い"), ("料理が美味しくない、残念", "悪い"), ("部屋は綺麗", "良い")]
WESTERN = [("Très bon café, garçon aimable", "oui"), ("Où est la clé ?", "non"), ("Déjà vu à l’hôtel", "oui")]


def table(rows: list[Pair], separator: str = ",", end: str = "\n", header: Pair = ("text", "label")) -> str:
    def field(value: str) -> str:
        special = separator in value or '"' in value or "\n" in value
        return '"' + value.replace('"', '""') + '"' if special else value

    return "".join(separator.join(map(field, row)) + end for row in [header, *rows])


def case(name: str, text: str, rows: list[Pair], *said: str, codec: str = "utf-8", in_page: bool = True) -> Case:
    return Case(name, text.encode(codec), rows, said, in_page)


LONE = [
    case(
        "opened, never closed.tsv",
        'text\tlabel\nGood\tpos\n"Bad, it began\tneg\nFine\tpos\nDull\tneg\n',
        [("Good", "pos"), ('"Bad, it began', "neg"), ("Fine", "pos"), ("Dull", "neg")],
        "1 row with a quotation mark that begins a field and does not enclose it, read as part of it (row 2 (line 3))",
    ),
    case(
        "opened here, closed there.csv",
        'text,label\nGood,pos\n"Bad from the start,neg\nFine,pos\nDull,neg\nto the end",neg\nGood,pos\n',
        [
            ("Good", "pos"),
            ('"Bad from the start', "neg"),
            ("Fine", "pos"),
            ("Dull", "neg"),
            ('to the end"', "neg"),
            ("Good", "pos"),
        ],
        "read as part of it (row 2 (line 3))",
    ),
    case(
        "lone one among proper ones.csv",
        'text,label\n"Good, warm",pos\n"Bad,neg\n"Fine, cheap",pos\n"He said ""no""",neg\nDull,neg\n',
        [("Good, warm", "pos"), ('"Bad', "neg"), ("Fine, cheap", "pos"), ('He said "no"', "neg"), ("Dull", "neg")],
        "(row 2 (line 3))",
    ),
    case(
        "numbered.tsv",
        'id\ttext\tlabel\n1\t"Great\tpos\n2\tfilm"\tneg\n3\t"Good" one\tpos\n4\tno "idea"\tneg\n',
        [('"Great', "pos"), ('film"', "neg"), ('"Good" one', "pos"), ('no "idea"', "neg")],
        "2 rows with a quotation mark",
    ),
    case(
        "text last.csv",
        'label,text\npos,Good\nneg,"Bad\npos,Fine\nneg,"\npos,Warm\n',
        [("Good", "pos"), ('"Bad', "neg"), ("Fine", "pos"), ('"', "neg"), ("Warm", "pos")],
    ),
]
"""Quotation marks that are characters of the text."""

QUOTES = [
    case(
        "backslashes.csv",
        'text,label\n"She said \\"go, now\\"",neg\n"C:\\\\dir, \\"x\\"",pos\nplain,pos\n"two\nlines \\"a\\", b",neg\n',
        [('She said "go, now"', "neg"), ('C:\\\\dir, "x"', "pos"), ("plain", "pos"), ('two\nlines "a", b', "neg")],
        "3 rows with quotation marks escaped by backslashes",
    ),
    case(
        "one backslash.tsv",
        'text\tlabel\n"a \\"tab\\"\there"\tpos\nplain\tneg\n"a back\\slash"\tpos\n',
        [('a "tab"\there', "pos"), ("plain", "neg"), ("a back\\slash", "pos")],
        "1 row with quotation marks escaped",
    ),
    case(
        "not doubled.csv",
        'text,label\n"the "best" room, ever",pos\n"first\nthe "worst" one, too",neg\nplain,neg\n',
        [('the "best" room, ever', "pos"), ('first\nthe "worst" one, too', "neg"), ("plain", "neg")],
        "2 rows with quotation marks that are not doubled inside a field",
    ),
    case(
        "single ones.csv",
        "'text','label'\n'Warm, it''s good','pos'\n'Bad','neg'\n",
        [("Warm, it's good", "pos"), ("Bad", "neg")],
        "quoted by '",
    ),
    case(
        "line breaks.csv",
        table([("Dear all, hello\nbest, Ann", "pos"), ('no\n\n\n"bye"\n', "neg"), ("one\r\ntwo", "pos")], end="\r\n"),
        [("Dear all, hello\nbest, Ann", "pos"), ('no\n\n\n"bye"\n', "neg"), ("one\r\ntwo", "pos")],
        "6 line breaks inside fields",
    ),
    case(
        "separators of lines.csv",
        table([("a\u2028b\u0085c\x0bd\x0ce", "pos"), ("f", "neg")]),
        [("a\u2028b\u0085c\x0bd\x0ce", "pos"), ("f", "neg")],
        "2 rows from 3 lines",
    ),
]
"""Quotation marks that enclose fields, in several manners."""

ENCODINGS = [
    case("mark.tsv", "\ufeff" + table(FOUR, "\t"), FOUR, "TSV, UTF-8 with a byte-order mark"),
    case("little.csv", "\ufeff" + table(CHINESE, end="\r\n"), CHINESE, "UTF-16", codec="utf-16-le"),
    case("big.csv", "\ufeff" + table(FOUR, "\t"), FOUR, "TSV, UTF-16", codec="utf-16-be"),
    case("no mark.tsv", table(FOUR, "\t"), FOUR, "TSV, UTF-16", codec="utf-16-le"),
    case("chinese.tsv", table(CHINESE, "\t"), CHINESE, "TSV, GB 18030", codec="gb18030"),
    case("chinese;.csv", table(CHINESE, ";"), CHINESE, "separated by semicolons, GB 18030", codec="gb18030"),
    case("western.csv", table(WESTERN), WESTERN, "CSV, Windows-1252", codec="cp1252"),
    case("euro;.csv", table([("Prix : 5 €", "non"), ("Bon", "oui")], ";"), [("Prix : 5 €", "non"), ("Bon", "oui")],
         "Windows-1252", codec="cp1252"),
    case("russian.csv", table(RUSSIAN), RUSSIAN, "Windows-1251", codec="cp1251", in_page=False),
    case("japanese.csv", table(JAPANESE), JAPANESE, "Shift JIS", codec="cp932", in_page=False),
    Case("damaged.csv", table(CHINESE).encode().replace("便".encode(), b"\xe4"),
         [*CHINESE[:2], ("位置方�", "好"), CHINESE[3]], ("1 place not valid in UTF-8, read as '�'",)),
]  # fmt: skip
"""Encodings."""

SEPARATORS = [
    case("semicolons.csv", table(FOUR, ";"), FOUR, "CSV separated by semicolons"),
    case("bars.txt.csv", table(FOUR, "|"), FOUR, "CSV separated by vertical bars"),
    case("tabs.csv", table(FOUR, "\t"), FOUR, "TSV"),
    case("commas.tsv", table(FOUR), FOUR, "CSV"),
    case("named.csv", "sep=;\r\n" + table(FOUR, ";", "\r\n"), FOUR, "semicolons", "line 1 names the separator"),
    case("caret.csv", table(FOUR, "^"), FOUR, "CSV separated by '^'", in_page=False),
    case("spaces.csv", 'text, label\n"Warm, cheap", pos\nBad, neg\n', [("Warm, cheap", "pos"), ("Bad", "neg")]),
]
"""Separators."""

RAGGED = [
    case("empty rows.csv", table(FOUR[:2], end="\r\n") + ",,\r\n\r\n , \r\n" + "Good,pos\r\n,,\r\n",
         [*FOUR[:2], ("Good", "pos")], "3 rows from 8 lines", "4 empty rows passed over"),
    case("trailing.csv", "text,label\nGood,pos,,\nBad,neg,\n", [("Good", "pos"), ("Bad", "neg")],
         "2 rows with empty fields beyond the header, cut"),
    case("too long.csv", "text,label\nGood,pos\nBad, really bad,neg\nFine,pos\n", [("Good", "pos"), ("Fine", "pos")],
         "1 row left out, which have more fields than the header (row 2 (line 3))"),
    case("too short.csv", "text,label,note\nGood,pos\nBad,neg,x\nFine,pos,\n",
         [("Good", "pos"), ("Bad", "neg"), ("Fine", "pos")],
         "1 row shorter than the header, the rest taken for empty (row 1 (line 2))"),
    case("returns.csv", table(FOUR, end="\r"), FOUR, "4 rows from 5 lines"),
    case("no end.csv", table(FOUR, end="\r\n").removesuffix("\r\n"), FOUR, "4 rows from 5 lines"),
    case("mixed ends.csv", "text,label\r\nGood,pos\nBad,neg\r\nFi\rne,pos\n",
         [("Good", "pos"), ("Bad", "neg"), ("Fi\rne", "pos")],
         "3 rows from 4 lines"),
    case("names of rows.csv", 'text,label\n1,"Good, warm",pos\n2,Bad,neg\n3,Fine,pos\n',
         [("Good, warm", "pos"), ("Bad", "neg"), ("Fine", "pos")], "the first is taken for names of rows",
         in_page=False),
    case("blank first.csv", "\n\n" + table(FOUR), FOUR, "4 rows from 7 lines"),
]  # fmt: skip
"""Rows that are shorter or longer than the header, or empty."""

COLUMN_NAMES = [
    case("spaces in names.csv", " text , label \nGood,pos\nBad,neg\n", [("Good", "pos"), ("Bad", "neg")],
         "taken for 'text'", "taken for 'label'"),
    case("capitals.tsv", "\u200bText\tLABEL\nGood\tpos\nBad\tneg\n", [("Good", "pos"), ("Bad", "neg")],
         "column 'LABEL' taken for 'label'"),
]  # fmt: skip
"""Names of columns."""

JSON_LINES = '{"text": "Warm, \\"quick\\"", "label": "pos"}\n\n{"text": "Never\u2028again", "label": "neg"}\n'
JSON_ROWS = [('Warm, "quick"', "pos"), ("Never\u2028again", "neg")]
JSON_ARRAY = '[{"text": "Warm, \\"quick\\"", "label": "pos"},\n {"label": "neg", "text": "Never\u2028again"}]'
COLUMNS = json.dumps({"text": [text for text, _ in JSON_ROWS], "label": [label for _, label in JSON_ROWS]})
BY_NAME = json.dumps({key: {"0": value[0], "1": value[1]} for key, value in json.loads(COLUMNS).items()})
JSON = [
    case("lines.jsonl", JSON_LINES, JSON_ROWS, "2 rows from 3 lines; JSON lines, UTF-8"),
    case("lines.csv", JSON_LINES, JSON_ROWS, "JSON lines"),
    case("array.json", JSON_ARRAY, JSON_ROWS, "JSON array"),
    case("array.txt.csv", "\ufeff\n" + JSON_ARRAY, JSON_ROWS, "JSON array"),
    case("one line.jsonl", JSON_ARRAY.replace("\n", ""), JSON_ROWS, "JSON array"),
    case("spread.jsonl", JSON_LINES.replace(', "label"', ',\n  "label"').replace("{", "{\n"), JSON_ROWS),
    case("in data.json", '{"version": 1, "data": ' + JSON_ARRAY + "}", JSON_ROWS),
    case("names.jsonl", JSON_LINES.replace('"text"', '" Text"'), JSON_ROWS, "column ' Text' taken for 'text'"),
    case("in data, one line.json", '{"data": ' + JSON_ARRAY.replace("\n", "") + "}", JSON_ROWS),
    case("columns.json", COLUMNS, JSON_ROWS, "JSON table"),
    case(
        "columns.csv",
        COLUMNS.replace("{", "{\n  ").replace("],", "],\n\n  "),
        JSON_ROWS,
        "2 rows from 4 lines; JSON table",
    ),
    case("columns, names.json", COLUMNS.replace('"text"', '" Text"'), JSON_ROWS, "column ' Text' taken for 'text'"),
    case("columns by pandas.json", BY_NAME, JSON_ROWS, "2 rows from 1 line; JSON table"),
    case("columns by pandas, indented.json", json.dumps(json.loads(BY_NAME), indent=2), JSON_ROWS, "JSON table"),
    case(
        "rows by pandas.json", json.dumps({"7": json.loads(JSON_ARRAY)[0], "9": json.loads(JSON_ARRAY)[1]}), JSON_ROWS
    ),
    case(
        "split by pandas.json",
        json.dumps(
            {"columns": ["label", "text"], "index": [0, 1], "data": [[label, text] for text, label in JSON_ROWS]}
        ),
        JSON_ROWS,
    ),
    case("wide.json", JSON_ARRAY, JSON_ROWS, "JSON array, UTF-16", codec="utf-16"),
]
"""JSON, as lines, as an array and in between, and as a table in one object."""

PACKED = [
    Case("packed.csv", gzip.compress(table(FOUR, ";").encode()), FOUR, ("gzip, CSV separated by semicolons",)),
    Case("packed.jsonl", gzip.compress(JSON_LINES.encode()), JSON_ROWS, ("gzip, JSON lines",)),
    Case("not packed.csv.gz", table(FOUR).encode(), FOUR, ("4 rows from 5 lines; CSV",)),
]
"""gzip by content, whatever the name."""

CASES = [*LONE, *QUOTES, *ENCODINGS, *SEPARATORS, *RAGGED, *COLUMN_NAMES, *JSON, *PACKED]
