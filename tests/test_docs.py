"""What the documents say is true: commands run, answers are as shown, files and settings exist."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest
from starlette.testclient import TestClient

from app.__main__ import cli as app_command
from app.config.settings import OPTIONS, Settings, env_name
from app.main import create_app
from app.process.service import build_service
from benchmarks.lib.structure import Checkout
from benchmarks.readme import renewed
from benchmarks.shown.answers import CURL
from training.__main__ import main as training_command

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
COMMAND = re.compile(r"python -m (app|training) [^\n`#|]*")
USED = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md", "docs/using.md")}
"""Documents whose requests and code are run."""

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHOWN = [(name, shown) for name, text in USED.items() for shown in CURL.finditer(text)]
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?<![\w/.-])[\w*/-]+\.(?:py|toml|cpp|jinja)\b")
PACKAGES = ("app", "model", "tables", "training", "benchmarks", "examples", "tests")
PACKAGE = rf"(?<![\w/.-])(?:{'|'.join(PACKAGES)})"
FOLDER = re.compile(rf"{PACKAGE}/[\w/]+(?![\w./*-])")
DOTTED = re.compile(rf"{PACKAGE}(?:\.\w+)+(?![\w(])")
WRITTEN = {"best.toml"}
"""Files that commands write."""

NO_MODULES = {"model.safetensors", "model.onnx", "app.request"}
"""Files of a checkpoint and of an exported one, and a logger."""

CHECKPOINTS = sorted(path.parent for path in ROOT.glob("checkpoints/*/config.json"))


def _commands() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        for match in COMMAND.finditer(text):
            yield document.name, match[0].strip()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """The server as `make serve` starts it."""
    with TestClient(create_app(build_service(Settings()))) as client:
        while client.get("/health/ready").status_code != 200:
            assert client.get("/health/live").status_code == 200
        yield client


def test_the_readme_shows_requests() -> None:
    assert len(SHOWN) >= 4
    assert {name for name, _ in SHOWN} == USED.keys()
    assert "make serve" in README[:1000]
    assert "make test" in README[:1000]


@pytest.mark.parametrize(("name", "shown"), SHOWN, ids=[f"{name}-{shown['body'][:40]}" for name, shown in SHOWN])
def test_each_answer_of_the_documents_is_json_of_the_documented_form(name: str, shown: re.Match[str]) -> None:
    assert {"model", "type"} & json.loads(shown["answer"]).keys(), name


def test_answers_and_figures_are_those_of_the_shipped_checkpoint(client: TestClient) -> None:
    """Scores to two hundredths, which is what the formats in which processors compute may differ by."""

    def ask(path: str, body: str) -> tuple[int, str]:
        answer = client.post(path, content=body.encode())
        return answer.status_code, answer.text

    for name, text in renewed(ask).items():
        assert text == (ROOT / name).read_text("utf-8"), f"{name}: python -m benchmarks.readme write"


def test_the_python_of_the_documents_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = [code for text in USED.values() for language, code in FENCE.findall(text) if language == "python"]
    assert programs
    monkeypatch.chdir(ROOT)
    for code in programs:
        scope: dict[str, object] = {}
        exec(compile(code, "docs/using.md", "exec"), scope)  # noqa: S102 - our own README
        if "classifier" in scope:
            num_labels = len(getattr(scope["classifier"], "labels"))  # noqa: B009 - their types are the reader's to know
            assert getattr(scope["probabilities"], "shape") == (2, num_labels)  # noqa: B009
        else:
            assert getattr(scope["vectors"], "shape") == (4, 384)  # noqa: B009
            assert int(getattr(scope["similar"], "argmax")()) == 0  # noqa: B009
            assert scope["labels"] == ["hotel", "hotel", "finance", "sports"]


@pytest.mark.parametrize(("document", "command"), list(dict.fromkeys(_commands())))
def test_each_command_of_the_documents_has_its_options(document: str, command: str) -> None:
    words = [word for word in shlex.split(command) if word != "…"][2:]
    program: click.Command = app_command if words[0] == "app" else training_command
    while isinstance(program, click.Group) and len(words) > 1 and not words[1].startswith("-"):
        name = words.pop(1)
        assert name in program.commands, f"{document}: no command {name}"
        program = program.commands[name]
    known = {option for parameter in program.params for option in parameter.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    assert not unknown, f"{document}: {command}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_that_a_document_links_to_exists(document: Path) -> None:
    missing = [
        link for link in LINK.findall(document.read_text(encoding="utf-8")) if not (document.parent / link).exists()
    ]
    assert not missing


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=lambda p: p.name)
def test_each_file_and_module_that_a_document_names_exists(document: Path) -> None:
    files = [path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.*")]
    files += [path.name for path in ROOT.glob("*.*")]
    code = " ".join(CODE.findall(document.read_text(encoding="utf-8")))
    unknown = {name for name in FILE.findall(code) if not any(fnmatch(f"/{file}", f"*/{name}") for file in files)}
    unknown |= {name for name in FOLDER.findall(code) if not (ROOT / name).exists() and f"{name}.py" not in files}
    unknown |= {name for name in DOTTED.findall(code) if not _is_defined(name)}
    assert not unknown - WRITTEN - NO_MODULES


def _is_defined(name: str) -> bool:
    """True if a dotted name is a module, or the first name after one stands in its source."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        source = path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")
        if source.is_file():
            return length == len(parts) or re.search(rf"\b{parts[length]}\b", source.read_text("utf-8")) is not None
    return False


@pytest.mark.parametrize("package", ["app", "training", "tables", "model"])
def test_the_architecture_has_the_layers_that_lint_holds(package: str) -> None:
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = document.split(f"\n### {package}\n")[1].split("\n#")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    rows = [{name.rstrip("/").removesuffix(".py") for name in CODE.findall(cell)} for cell in cells]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = (contract for contract in settings["contracts"] if contract.get("containers") == [package])
    assert rows == [set(layer.split(" | ")) for layer in contract["layers"]]


@pytest.mark.parametrize(
    ("name", "defined"),
    [
        ("model.encoder", True),
        ("model.encoder.POOLS", True),
        ("model.encoder.POOLINGS", False),
        ("training.contrast", False),
    ],
)
def test_a_module_that_is_gone_is_noticed(name: str, defined: bool) -> None:
    assert _is_defined(name) == defined


def test_each_setting_that_a_document_names_exists() -> None:
    known = {env_name(field) for field in OPTIONS} | {"SLUICE_DATA", "SLUICE_ENDPOINT_KEY"}
    for document in DOCUMENTS:
        named = set(re.findall(r"SLUICE_[A-Z_]*[A-Z]", document.read_text(encoding="utf-8")))
        assert named <= known, document.name


def test_each_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", README, re.MULTILINE))
    assert {a or b for a, b in named} <= targets


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda path: path.name)
def test_a_shipped_checkpoint_is_whole_and_has_its_card(checkpoint: Path) -> None:
    from training.config.start import load_start

    assert load_start(checkpoint).version
    assert (checkpoint / "README.md").read_text("utf-8").startswith(f"# {checkpoint.name}\n")
    assert (checkpoint.name == "encoder") == (load_start(checkpoint).labels == ())


def test_shipped_checkpoints_are_small() -> None:
    assert sum(path.stat().st_size for path in ROOT.glob("checkpoints/*/*")) < 40e6


def test_the_readme_is_a_page() -> None:
    assert len(README.splitlines()) <= 120
    assert (ROOT / "docs/figures/page.png").stat().st_size < 150_000


def test_prose_stays_within_a_hundred_columns() -> None:
    length, place = Checkout(ROOT).longest_prose()
    assert length <= 100, place
