"""Keeps answers in a file as they come, so that a text is paid for once.

Each line is a JSON object: `key`, a digest of model, prompt, labels and text; `label`; and `log_probabilities` where
the endpoint gave them. It is written at once, so that a broken run loses only what was under way. Texts without a label
are not kept: the same command asks about them again.
"""

import hashlib
import json
from pathlib import Path
from types import TracebackType

from training.annotation.answers import Judged
from training.annotation.prompt import Prompt


class KeptAnswers:
    """Answers about texts for one model and prompt. Use it as a context manager.

    Args:
        path: the file; it may hold answers of other models and prompts, which stay.
        model: the model's name.
        prompt: with the labels.
    """

    def __init__(self, path: Path, *, model: str, prompt: Prompt) -> None:
        self._path, self._labels = path, prompt.labels
        self._seed = hashlib.sha256(json.dumps([model, prompt.digest]).encode())
        self._found = self._read()

    def __enter__(self) -> "KeptAnswers":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        torn = self._path.is_file() and self._path.read_bytes()[-1:] not in (b"", b"\n")
        self._file = self._path.open("ab", buffering=0)
        if torn:  # by a process that was killed within a line
            self._file.write(b"\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, text: str) -> Judged | None:
        """The answer about a text; None if there is none."""
        return self._found.get(self._key(text))

    def add(self, text: str, judged: Judged) -> None:
        """Writes an answer at the end of the file.

        Raises:
            OSError: it cannot be written.
        """
        key = self._key(text)
        line = {"key": key, "label": judged.label}
        soft = {} if judged.log_probabilities is None else {"log_probabilities": judged.log_probabilities}
        left = json.dumps(line | soft, ensure_ascii=False).encode() + b"\n"
        while left:  # a disk that fills up takes a part, and refuses the rest
            left = left[self._file.write(left) :]
        self._found[key] = judged

    def _key(self, text: str) -> str:
        digest = self._seed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:32]

    def _read(self) -> dict[str, Judged]:
        found: dict[str, Judged] = {}
        if not self._path.is_file():
            return found
        with self._path.open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    soft = entry.get("log_probabilities")
                    found[entry["key"]] = Judged(entry["label"], None if soft is None else tuple(map(float, soft)))
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue  # torn
        return found
