"""Measures the code base's structure: folders, imports, long functions, docstrings, the tests' mirror.

    python -m benchmarks.lib.structure [ROOT] [--docstrings]

Prints a table for the checkout ROOT (default: this one); an older commit's is measured in a worktree of it.
With --docstrings only the docstrings that break the house rule are listed, and the exit code is 1 if there are any.
"""

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "model", "training", "tables", "benchmarks", "examples")
MIRRORED = ("app", "model", "training", "tables", "benchmarks", "examples")
PIPELINE_AND_SERVER = ("app", "training", "tables", "benchmarks/robustness")
"""Code whose size is followed. The last one stood outside of `training` once and is part of it now."""

APART = ("clients", "integration", "packaging", "page")
"""Folders of `tests/` for what spans packages: real clients, whole processes, images, the browser."""

NO_PROSE = re.compile(r"^\s*\||^    |https?://|[\u3400-\u9fff]|^[\s>*-]*!?\[.*\]\(.*\)[.,;:]?$|^!\[")
"""Tables, commands, links, pictures and Chinese, which may be longer than a line of prose."""

RIDDLE = re.compile(r"(What|Whether|How|Who|Whoever|Which|Of|Those|From where|For whom)\b")
FEWEST_WORDS = 4
LONG_FUNCTION = 50
PATCHED = re.compile(r"""setattr\([^)]*(?:StopRequest|monotonic|perf_counter|time\.time|["']time["']|sleep|clock)""")


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name, file and length in lines."""

    path: str
    name: str
    lines: int


class Checkout:
    """Source files of one checkout and figures about them.

    Args:
        root: folder of the checkout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self, *packages: str) -> list[Path]:
        """Python files of the packages, sorted."""
        return sorted(path for package in packages for path in (self.root / package).rglob("*.py"))

    @cached_property
    def trees(self) -> dict[Path, ast.Module]:
        """Syntax tree of each file of the packages."""
        return {path: ast.parse(path.read_text("utf-8")) for path in self.files(*PACKAGES)}

    def relative(self, path: Path) -> str:
        """Path below the root, with slashes."""
        return path.relative_to(self.root).as_posix()

    @cached_property
    def functions(self) -> list[Function]:
        """Functions of app, model, training and tables, longest first."""
        found = [
            Function(self.relative(path), node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
            for path, tree in self.trees.items()
            if self.relative(path).split("/")[0] in ("app", "model", "training", "tables")
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        return sorted(found, key=lambda function: -function.lines)

    def riddles(self) -> Iterator[str]:
        """Docstrings whose first line is no plain sentence: `path:line: first line`."""
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                    first = (ast.get_docstring(node) or "").partition("\n")[0]
                    if first and (RIDDLE.match(first) or len(first.split()) < FEWEST_WORDS):
                        yield f"{self.relative(path)}:{getattr(node, 'lineno', 1)}: {first}"

    def imports(self, package: str) -> dict[str, set[str]]:
        """Folders of a package, each with the other folders of the package that it imports."""
        found: dict[str, set[str]] = {}
        for path in self.files(package):
            here = _folder(self.relative(path))
            for node in ast.walk(self.trees[path]):
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                for name in names:
                    parts = name.split(".")
                    if parts[0] == package and len(parts) > 1 and parts[1] != here:
                        found.setdefault(here, set()).add(parts[1])
        return found

    def upward(self, package: str) -> int:
        """Imports between folders that run against the layers of pyproject.toml."""
        contracts = tomllib.loads((self.root / "pyproject.toml").read_text("utf-8"))["tool"].get("importlinter", {})
        for contract in contracts.get("contracts", []):
            if contract.get("containers") == [package]:
                order = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
                place = {name: index for index, name in enumerate(order)}
                edges = self.imports(package).items()
                return sum(place.get(b, 99) < place.get(a, -1) for a, targets in edges for b in targets)
        return -1

    def circles(self, package: str) -> int:
        """Pairs of folders that import each other, directly or through others."""
        edges = self.imports(package)

        def reached(start: str) -> set[str]:
            seen: set[str] = set()
            left = [start]
            while left:
                for target in edges.get(left.pop(), set()) - seen:
                    seen.add(target)
                    left.append(target)
            return seen

        reach = {folder: reached(folder) for folder in edges}
        return sum(a < b and b in reach[a] and a in reach.get(b, set()) for a in edges for b in edges)

    def code_lines(self, *packages: str, docstrings: bool) -> int:
        """Lines with code: no blank lines, no comments, and docstrings only if asked for."""
        return sum(_code_lines(path.read_text("utf-8"), docstrings=docstrings) for path in self.files(*packages))

    def without_place(self) -> list[str]:
        """Test files that mirror no source file and stand in no folder for what spans packages."""
        lost = []
        for path in self.files("tests"):
            parts = path.relative_to(self.root / "tests").parts
            if not path.name.startswith("test_") or parts[0] in APART or len(parts) == 1:
                continue
            folder, name = self.root.joinpath(*parts[:-1]), path.stem.removeprefix("test_")
            sources = (folder / f"{name}.py", folder / name / "__init__.py", folder / f"__{name}__.py")
            if parts[0] not in MIRRORED or not any(source.is_file() for source in sources):
                lost.append(self.relative(path))
        return lost

    def patched_clocks(self) -> list[str]:
        """Places where a test replaces a clock or the wish to stop by its module path."""
        return [
            f"{self.relative(path)}:{number}"
            for path in self.files("tests")
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
            if PATCHED.search(line)
        ]

    def takers_of_settings(self) -> list[str]:
        """Files of app that take the whole of Settings."""
        return [
            self.relative(path)
            for path in self.files("app")
            if any(
                isinstance(node, ast.ImportFrom) and any(alias.name == "Settings" for alias in node.names)
                for node in ast.walk(self.trees[path])
            )
        ]

    def loaded_by_settings(self) -> int:
        """Modules of ours that importing the settings loads."""
        module = "app.config.settings" if (self.root / "app" / "config").is_dir() else "app.settings"
        code = f"import sys, {module}; print(sum(m.split('.')[0] in {('app', 'model')} for m in sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], cwd=self.root, capture_output=True, text=True, check=True)
        return int(done.stdout)

    def openapi_lines(self) -> int:
        """Lines of app that write the OpenAPI document: files named for it, and operations and examples elsewhere."""
        total = 0
        for path in self.files("app"):
            if path.stem.startswith("openapi"):
                total += len(path.read_text("utf-8").splitlines())
                continue
            described: set[int] = set()
            for node in ast.walk(self.trees[path]):
                name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
                example = any(isinstance(target, ast.Name) and "EXAMPLE" in target.id for target in targets)
                if isinstance(node, ast.expr | ast.stmt) and (example or name == "Operation"):
                    described |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            total += len(described)
        return total

    def longest_prose(self) -> tuple[int, str]:
        """Longest line of prose in README and docs, and its place; no tables, commands, links or Chinese."""
        longest = (0, "")
        for path in [self.root / "README.md", *sorted((self.root / "docs").rglob("*.md"))]:
            for number, line in _prose(path.read_text("utf-8")):
                longest = max(longest, (len(line), f"{self.relative(path)}:{number}"))
        return longest


def _folder(relative: str) -> str:
    parts = relative.split("/")
    return parts[1] if len(parts) > 2 else parts[1].removesuffix(".py")


def _code_lines(source: str, *, docstrings: bool) -> int:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            lines |= set(range(token.start[0], token.end[0] + 1)) if token.string.strip() else set()
    texts = source.splitlines()
    lines = {number for number in lines if number <= len(texts) and texts[number - 1].strip()}
    if not docstrings:
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def _prose(text: str) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not NO_PROSE.search(line):
            yield number, re.sub(r"\]\([^)]*\)", "]", line)


def table(checkout: Checkout) -> list[tuple[str, str]]:
    """Name and figure of each row."""
    direct = [len(list((checkout.root / package).glob("*.py"))) for package in ("app", "training")]
    create = next(function.lines for function in checkout.functions if function.name == "create_app")
    longest = checkout.functions[0]
    long = [function for function in checkout.functions if function.lines > LONG_FUNCTION]
    readme = len((checkout.root / "README.md").read_text("utf-8").splitlines())
    prose, place = checkout.longest_prose()
    with_docs, without = (checkout.code_lines(*PIPELINE_AND_SERVER, docstrings=each) for each in (True, False))
    return [
        ("files directly in app/, training/", f"{direct[0]}, {direct[1]}"),
        ("imports against the layers: app, training", f"{checkout.upward('app')}, {checkout.upward('training')}"),
        ("circles between folders: app, training", f"{checkout.circles('app')}, {checkout.circles('training')}"),
        ("lines of app + training, with and without docstrings", f"{with_docs}, {without}"),
        ("lines of OpenAPI code", f"{checkout.openapi_lines()}"),
        ("create_app; longest function", f"{create}; {longest.lines} ({longest.path}:{longest.name})"),
        (f"functions over {LONG_FUNCTION} lines", f"{len(long)}"),
        ("files that take the whole of Settings", f"{len(checkout.takers_of_settings())}"),
        ("modules that importing settings loads", f"{checkout.loaded_by_settings()}"),
        ("docstrings that break the rule", f"{sum(1 for _ in checkout.riddles())}"),
        ("README lines; longest prose line", f"{readme}; {prose} ({place})"),
        ("tests without a place in the mirror", f"{len(checkout.without_place())}"),
        ("tests that patch a clock or stop", f"{len(checkout.patched_clocks())}"),
    ]


def main() -> int:
    """Prints the table, or the docstrings that break the rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=HERE)
    parser.add_argument("--docstrings", action="store_true", help="List only docstrings that break the rule.")
    options = parser.parse_args()
    checkout = Checkout(options.root.resolve())
    if options.docstrings:
        riddles = list(checkout.riddles())
        sys.stdout.writelines(f"{riddle}\n" for riddle in riddles)
        return 1 if riddles else 0
    for name, figure in table(checkout):
        sys.stdout.write(f"{name:<56} {figure}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
