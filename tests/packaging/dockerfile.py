"""Reads a Dockerfile: stages, instructions, variables. Knows the plain forms that ours keeps to, refuses others."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

KNOWN = {"ARG", "CMD", "COPY", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER", "WORKDIR"}

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ASSIGNMENT = re.compile(r'(\w+)=("[^"]*"|\S*)')


@dataclass(frozen=True)
class Instruction:
    """One instruction: `name` in capitals, `text` with continued lines joined."""

    name: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        """`--name=value` before the arguments."""
        return dict(re.findall(r"--([a-z-]+)=(\S+)", self.text[: len(self.text) - len(self.arguments)]))

    @property
    def arguments(self) -> str:
        """The text after the flags."""
        return re.sub(r"^(--[a-z-]+=\S+\s+)*", "", self.text)

    @property
    def argv(self) -> list[str]:
        """The words of an exec form, such as `CMD ["python", "-m", "app"]`.

        Raises:
            ValueError: the instruction has a shell form.
        """
        words: list[str] = json.loads(self.arguments.removeprefix("CMD").strip())
        return words


@dataclass(frozen=True)
class Stage:
    """`FROM base AS name` and what follows."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Its instructions of one name."""
        return [instruction for instruction in self.instructions if instruction.name == name]


def parse(text: str) -> dict[str, Stage]:
    """The stages of a Dockerfile by name, in order; the last is what a build without `--target` makes.

    Raises:
        ValueError: a form that is not supported here.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    stages: dict[str, Stage] = {}
    defaults: dict[str, str] = {}
    current: Stage | None = None
    for line in filter(str.strip, logical):
        name, _, rest = line.strip().partition(" ")
        if name not in KNOWN or "<<" in rest:
            raise ValueError(f"not supported: {line}")
        instruction = Instruction(name, rest.strip())
        if name == "FROM":
            base, _, alias = instruction.text.partition(" AS ")
            if not alias:
                raise ValueError(f"a stage without a name: {line}")
            current = stages[alias] = Stage(alias, expand(base, defaults))
        elif current is None:
            defaults |= assignments(instruction.text)
        else:
            current.instructions.append(instruction)
    return stages


def read() -> dict[str, Stage]:
    """The stages of our Dockerfile."""
    return parse((ROOT / "Dockerfile").read_text("utf-8"))


def lineage(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """The stages that `target` inherits from, oldest first, and itself."""
    stage = stages[target]
    return [*(lineage(stages, stage.base) if stage.base in stages else []), stage]


def copy_context(target: Path) -> None:
    """What .dockerignore lets through."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    if patterns[0] != "*" or not all(line[0] == "!" or line == "**/__pycache__" for line in patterns[1:]):
        raise ValueError(f".dockerignore has a pattern that is not supported here: {patterns}")
    for name in (line[1:] for line in patterns if line[0] == "!"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, target / name)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced; a variable that is not set is empty.

    >>> expand("${PORT}/$PORT/$HOST", {"PORT": "8000"})
    '8000/8000/'
    """
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


def assignments(text: str) -> dict[str, str]:
    """`A=1 B="two words"` of an ENV or ARG.

    >>> assignments('A=1 B="two words"')
    {'A': '1', 'B': 'two words'}
    """
    return {name: value.strip('"') for name, value in _ASSIGNMENT.findall(text)}
