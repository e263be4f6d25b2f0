"""The labels to choose from, and the messages that ask a chat model for one of them a text.

The system message is a template that a user may replace: `{labels}` stands for the list of labels, with descriptions
where there are some, and `{example}` for an answer. The user message is a JSON object of numbered texts, so that no
text can pretend to be another one or the end of the list.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import UsageError

DEFAULT_PROMPT = Path(__file__).parent / "prompt.txt"

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels that a text may have.

    Attributes:
        names: at least two, different in more than case.
        descriptions: one sentence of each, empty where there is none.
    """

    names: tuple[str, ...]
    descriptions: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise UsageError(f"{len(self.names)} label(s) in --labels; name at least two, for example --labels yes,no")
        if not all(name == name.strip() and name for name in self.names):
            raise UsageError("a label of --labels is empty, or begins or ends with a space")
        if len({name.casefold() for name in self.names}) < len(self.names):
            raise UsageError("two labels of --labels are equal or differ in case only")

    def find(self, spelling: object) -> str | None:
        """The label with this name; case and spaces around it do not count."""
        if not isinstance(spelling, str):
            return None
        wanted = spelling.strip().casefold()
        return next((name for name in self.names if name.casefold() == wanted), None)

    def listed(self) -> str:
        """One line a label, as the prompt has them."""
        pairs = zip(self.names, self.descriptions, strict=True)
        return "\n".join(f"- {name}: {said}" if said else f"- {name}" for name, said in pairs)


def parse_labels(value: str) -> LabelSet:
    """Reads `--labels`: names with commas between them, or a TOML file with a line `name = "description"` for each.

    Raises:
        UsageError: the file cannot be read, or the labels cannot be told apart.
    """
    if not value.endswith(".toml"):
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        return LabelSet(names, ("",) * len(names))
    try:
        found = tomllib.loads(Path(value).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{value}: cannot be read as TOML: {error}") from error
    if odd := [name for name, said in found.items() if not isinstance(said, str)]:
        raise UsageError(f"{value}: '{odd[0]}' is no text; write one line {odd[0]} = \"description\" for each label")
    return LabelSet(tuple(found), tuple(" ".join(said.split()) for said in found.values()))


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages that ask for labels.

    Attributes:
        labels: to choose from.
        system: the system message, filled in.
        max_characters: of a text; what is longer is cut.
    """

    labels: LabelSet
    system: str
    max_characters: int

    @property
    def digest(self) -> str:
        """Digest of all that the answers depend on but model and text, 64 hex digits."""
        parts = [self.system, *self.labels.names, str(self.max_characters)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def messages(self, texts: Sequence[str]) -> list[Message]:
        """The messages of one call about these texts, which are numbered from 1."""
        numbered = {str(number): self._shown(text) for number, text in enumerate(texts, 1)}
        asked = json.dumps(numbered, ensure_ascii=False)
        return [{"role": "system", "content": self.system}, {"role": "user", "content": asked}]

    def schema(self, num_texts: int) -> dict[str, Any]:
        """JSON schema of the answer about so many texts: an object from each number to one of the labels."""
        numbers = [str(number) for number in range(1, num_texts + 1)]
        one = {"type": "string", "enum": list(self.labels.names)}
        return {
            "type": "object",
            "properties": dict.fromkeys(numbers, one),
            "required": numbers,
            "additionalProperties": False,
        }

    def _shown(self, text: str) -> str:
        """The start of a text, without halves of surrogate pairs, which no request can hold."""
        return text[: self.max_characters].encode("utf-8", "replace").decode("utf-8")


def make_prompt(labels: LabelSet, *, file: Path | None = None, max_characters: int) -> Prompt:
    """Fills in the template of `file`, or the default one.

    Raises:
        UsageError: the file cannot be read, or does not show the labels.
    """
    path = DEFAULT_PROMPT if file is None else file
    try:
        template = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    if "{labels}" not in template and not all(name in template for name in labels.names):
        raise UsageError(f"{path}: has neither {{labels}}, where the list of labels goes, nor each label by name")
    example = json.dumps({"1": labels.names[0], "2": labels.names[1]}, ensure_ascii=False)
    system = template.replace("{example}", example).replace("{labels}", labels.listed())
    return Prompt(labels, system, max_characters)
