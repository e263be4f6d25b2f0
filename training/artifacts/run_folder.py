"""The folder of an unfinished run, beside the checkpoint that it will become: all that `--resume` needs.

`run.json` says what was asked for, `tokenizer.json` and `state.safetensors` how far it is.
"""

import shutil
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from tokenizers import Tokenizer

from model.folder import place_of
from training.errors import UsageError

Kind = TypeVar("Kind", bound=BaseModel)


class RunFolder:
    """`OUTPUT.run`, beside the checkpoint `OUTPUT`.

    Raises:
        CheckpointError: no folder can be put in the place of `OUTPUT`, which is told before a run and not after it.
    """

    def __init__(self, output: Path) -> None:
        place_of(output)
        self.path = output.with_name(f"{output.name}.run")
        self._request = self.path / "run.json"
        self._digests = self.path / "data.sha256"
        self._tokenizer = self.path / "tokenizer.json"

    @property
    def exists(self) -> bool:
        """True if an unfinished run stands there."""
        return self._request.is_file()

    @property
    def has_state(self) -> bool:
        """True if the run has saved a state."""
        return has_state(self.path)

    def create(self, request: BaseModel, tokenizer: Tokenizer, digests: dict[str, str]) -> None:
        """Begins a run; what was there is lost."""
        self.remove()
        self.path.mkdir(parents=True)
        self._tokenizer.write_text(tokenizer.to_str(), encoding="utf-8")
        self._digests.write_text(_digest_lines(digests), encoding="utf-8")
        # Last, for its presence says that the others are whole.
        self._request.write_text(request.model_dump_json(indent=2), encoding="utf-8")

    def request(self, kind: type[Kind]) -> Kind:
        """The request with which the run began.

        Raises:
            UsageError: there is no run, or it was begun by another command or another version of this code.
        """
        if not self.exists:
            raise UsageError(f"nothing to resume: there is no unfinished run at {self.path}")
        try:
            return kind.model_validate_json(self._request.read_bytes())
        except ValidationError as error:
            cause = (
                f"{self._request}: not a run of this command and version ({error.error_count()} problem(s)); "
                "start anew with --overwrite"
            )
            raise UsageError(cause) from error

    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the run."""
        return Tokenizer.from_file(str(self._tokenizer))

    def check_digests(self, digests: dict[str, str]) -> None:
        """Refuses data that is not what the run began with.

        Raises:
            UsageError: a file has changed.
        """
        if self._digests.read_text(encoding="utf-8") != _digest_lines(digests):
            raise UsageError(
                f"{self.path}: the data files have changed since this run began; start anew with --overwrite"
            )

    def remove(self) -> None:
        """Deletes the folder of the run."""
        shutil.rmtree(self.path, ignore_errors=True)


def has_state(folder: Path) -> bool:
    """True if a trainer has saved its state there."""
    return (folder / "state.safetensors").is_file()


def _digest_lines(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {role}\n" for role, digest in sorted(digests.items()))
