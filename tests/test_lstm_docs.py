"""What docs/lstm.md and its Chinese version say is true, and they say the same."""

import json
import pkgutil
import re
from pathlib import Path

import pytest

from examples.figures import FIGURES, draw_variants, save
from examples.gates import CHECKPOINT, TEXTS, telling_unit, trace_all
from examples.gradients import SETTINGS, build, gradient_norms
from examples.variants import CHANGES, VariantResult, num_parameters, shape_of
from model.cell import num_parameters as lstm_parameters
from model.checkpoint import Checkpoint, load_checkpoint
from training.config.config import TrainConfig, flatten

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, CHINESE = ((ROOT / "docs" / name).read_text("utf-8") for name in ("lstm.md", "lstm.zh.md"))
FIGURE = re.compile(r"!\[.+\]\(figures/([a-z]+)\.svg\)")
CODE = re.compile(r"`([^`\n]+)`")
EACH = pytest.mark.parametrize("document", [ENGLISH, CHINESE], ids=["en", "zh"])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _tables(document: str) -> list[list[list[str]]]:
    """The rows of each table, without its head."""
    blocks = re.findall(r"(?:^\|.*\n)+", document, re.MULTILINE)
    return [[_cells(line) for line in block.splitlines()[2:]] for block in blocks]


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,.]*(?:e-\d+)?", text)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(ROOT / CHECKPOINT)


# --- both languages ---


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("headings", r"^(#+ \d+\.|#+)"),
        ("figures", FIGURE.pattern),
        ("formulas", r"^    (\S+ = .*?)(?:  .*)?$"),
        ("commands", r"^python -m .*$"),
        ("settings", r"`((?:architecture|loop|dropouts)\.[^`]+)`"),
        ("names in code", r"`((?:model|training|tests|examples)[./][^`]+)`"),
        ("sources", r"^- .*$"),
    ],
)
def test_both_languages_have_the_same(what: str, pattern: str) -> None:
    english, chinese = (re.findall(pattern, document, re.MULTILINE) for document in (ENGLISH, CHINESE))
    assert len(english) > 3, what
    assert english == chinese


def test_the_tables_of_both_languages_have_the_same_numbers() -> None:
    english, chinese = _tables(ENGLISH), _tables(CHINESE)
    assert [len(table) for table in english] == [len(table) for table in chinese]
    for ours, theirs in zip(english, chinese, strict=True):
        for row, other in zip(ours, theirs, strict=True):
            assert len(row) == len(other)
            assert _numbers(" ".join(row[1:])) == _numbers(" ".join(other[1:]))


# --- what is named exists ---


@EACH
def test_every_figure_is_drawn_shown_and_small(document: str) -> None:
    assert set(FIGURE.findall(document)) == set(FIGURES)
    for name in FIGURES:
        content = (ROOT / "docs" / "figures" / f"{name}.svg").read_bytes()
        assert len(content) < 60_000, name
        assert b"<dc:date>" not in content, name


@EACH
def test_every_name_in_code_exists(document: str) -> None:
    named = 0
    for code in CODE.findall(document):
        if re.fullmatch(r"(model|training|tests|examples|checkpoints)/[\w./]*", code):
            assert (ROOT / code).exists(), code
            named += 1
        elif match := re.match(r"(model|training)\.\w+\.[\w.]+", code):
            pkgutil.resolve_name(match[0])
            named += 1
    assert named > 20


@EACH
def test_every_setting_exists_and_takes_its_value(document: str) -> None:
    known = flatten(TrainConfig())
    settings = re.findall(r"`((?:architecture|loop|dropouts)\.\w+)(?:=(\w+))?`", document)
    assert len(settings) > 12
    for key, value in settings:
        assert key in known
        if value:
            section, _, name = key.partition(".")
            TrainConfig.model_validate({section: {name: value}})


# --- numbers ---


@EACH
def test_parameters_are_those_of_the_shipped_checkpoint(document: str, checkpoint: Checkpoint) -> None:
    sizes = {name: tensor.size for name, tensor in checkpoint.weights.items()}
    parts = ("embedding", "layers.0.0.", "layers.0.1.", "head.", "ngrams.")
    counts = [sum(size for name, size in sizes.items() if name.startswith(part)) for part in parts]
    wanted = [*filter(None, counts), sum(sizes.values())]
    (table,) = (table for table in _tables(document) if table[-1][-1] == f"{wanted[-1]:,}")
    assert [row[-1] for row in table] == [f"{number:,}" for number in wanted]
    shape = checkpoint.config.architecture
    assert lstm_parameters(shape.embedding_dim, shape.hidden_size) == wanted[1]


def test_gradients_are_as_told() -> None:
    """To a factor of ten: the series are shorter here, and others."""
    (table,) = (table for table in _tables(ENGLISH) if table[0][0] == "plain RNN" and len(table[0]) == 5)
    assert [row[0] for row in table] == [setting.title for setting in SETTINGS]
    for setting, row in zip(SETTINGS, table, strict=True):
        norms_K = gradient_norms(build(setting), 100)
        for steps, told in zip((10, 50, 100), row[1:], strict=False):
            assert 0.1 < norms_K[steps] / float(told) < 10, (setting.title, steps)


def test_the_figure_shows_the_unit_that_the_text_tells_of(checkpoint: Checkpoint) -> None:
    """Numbers of the text are held by tests/test_docs.py."""
    plain, negated = trace_all(checkpoint, TEXTS)
    assert [plain.label, negated.label] == ["positive", "negative"]
    unit = telling_unit([plain, negated])
    assert f"c, g: unit {unit}<" in (ROOT / "docs" / "figures" / "gates.svg").read_text("utf-8")
    for document, words in ((ENGLISH, f"number {unit}."), (CHINESE, f"编号 {unit}。")):
        assert words in " ".join(document.split())


def test_the_table_and_the_figure_of_variants_are_what_was_measured() -> None:
    report = json.loads((ROOT / "docs" / "figures" / "variants.json").read_text("utf-8"))
    rows = {title: VariantResult(**row) for title, row in report["rows"].items()}
    assert list(rows) == list(CHANGES)
    wanted = []
    for title, row in rows.items():
        assert row.parameters == num_parameters(shape_of(title))
        found = sorted(100 * value for value in row.accuracies)
        wanted.append(
            [f"{row.parameters:,}", f"{found[1]:.1f}", f"{found[0]:.1f}", f"{found[2]:.1f}", f"{row.cpu_s:g}"]
        )
    for document in (ENGLISH, CHINESE):
        (table,) = (table for table in _tables(document) if len(table) == len(CHANGES))
        assert [_numbers(" ".join(row[1:])) for row in table] == wanted


def test_a_figure_of_the_same_numbers_has_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("a.svg", "b.svg"):
        save(draw_variants(), tmp_path / name)
    contents = [(tmp_path / name).read_bytes() for name in ("a.svg", "b.svg")]
    assert contents[0] == contents[1] == (ROOT / "docs" / "figures" / "variants.svg").read_bytes()
