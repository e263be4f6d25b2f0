"""Everything that a package imports is locked where it runs; `make lint` holds the layers (import-linter)."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

OURS = {"app", "model", "tables", "training", "benchmarks", "examples", "tests"}

LOCK_OF = {"app": "core", "model": "core", "tables": "training", "training": "training", "examples": "training"}
"""What is installed where a package runs; a test environment has more, and would hide a missing requirement."""


EXTRA_OF = {
    "app/bulk/": "bulk",
    "app/ray/": "ray",
    "examples/dataframe.py": "dev",
    "examples/duckdb_function.py": "dev",
    "examples/ray_train.py": "ray",
    "app/telemetry/otel.py": "otel",
    "model/engine/lstm_kernel.py": "gpu",
    "model/export/graph.py": "onnx",
    "tables/hub.py": "hub",
    "training/tracking/mlflow.py": "mlflow",
    "training/tracking/tensorboard.py": "tensorboard",
}
"""Files and folders that are imported only where an extra is installed, and the extra."""


NEWER = {"compression"}
"""Modules of newer standard libraries; where they are missing their files import a backport."""


def names_of_extra(extra: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in project["optional-dependencies"][extra]}


def imported(source: str, package: str) -> set[str]:
    """Dotted names that a file of `package` imports, at any depth of its code.

    `from a import b` counts as `a.b`: only the reader of the name can tell a module from a function.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            names |= {str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return names


def files_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    return imported(path.read_text("utf-8"), ".".join(path.relative_to(ROOT).parent.parts))


@pytest.mark.parametrize("package", LOCK_OF)
def test_everything_imported_is_locked_where_the_package_runs(package: str) -> None:
    lock = (ROOT / "requirements" / f"{LOCK_OF[package]}.txt").read_text("utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    distributions = packages_distributions()
    missing = {}
    for path in files_of(package):
        name = path.relative_to(ROOT).as_posix()
        extra = next((extra for start, extra in EXTRA_OF.items() if name.startswith(start)), None)
        allowed = locked | (names_of_extra(extra) if extra else set())
        tops = {name.split(".")[0] for name in imports_of(path)} - sys.stdlib_module_names - NEWER - OURS
        for top in tops:
            names = {re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(top, [])}
            if not names & allowed:
                missing[str(path.relative_to(ROOT))] = top
    assert not missing


def test_the_core_stays_small() -> None:
    """Training's and the tests' requirements must not creep into what every server installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    core = {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in project["dependencies"]}
    assert len(core) <= 14  # one of them for Python before 3.14 only
    for extra, lines in project["optional-dependencies"].items():
        assert not core & {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in lines}, extra


# --- the checks themselves can fail ---


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import torch.nn as nn", {"torch.nn"}),
        ("from model.errors import ModelError", {"model.errors.ModelError"}),
        ("from model import text", {"model.text"}),
        ("from . import batching", {"app.batching"}),
        ("from .errors import Overloaded", {"app.errors.Overloaded"}),
        ("from ..training import loop", {"training.loop"}),
        ("def late():\n    import training", {"training"}),
        ("import importlib\nimportlib.import_module('training.fit.trainer')", {"importlib", "training.fit.trainer"}),
    ],
)
def test_every_way_to_import_is_seen(source: str, names: set[str]) -> None:
    assert imported(source, "app") == names
