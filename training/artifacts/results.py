"""A folder of results that grows by one finished piece at a time, and can be continued."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import ValidationError

from model.config import Frozen
from model.device import resolve_device
from training.artifacts.template import render
from training.config.request import Request
from training.data.corpus import Corpus, DataFile
from training.errors import UsageError
from training.provenance import describe_machine, origin

TEMPLATE = Path(__file__).parent / "results.md.jinja"


class Results(Frozen):
    """The fields that every file of results has.

    Attributes:
        command: makes the same again; a line for each call that had a part in it.
        created: when it began.
        machine, threads, device: what it ran on.
        code, libraries: versions.
        data: the files.
        config: every setting as given, by its dotted key.
        warnings: what is suspicious about the data.

    A class of results says what a person calls them (`KIND`), which field holds the pieces that are found one by one
    (`FOUND`), and which fields must be the same to go on (`SAME`).
    """

    KIND: ClassVar[str]
    FOUND: ClassVar[str]
    SAME: ClassVar[tuple[str, ...]]

    command: str
    created: str
    machine: str
    threads: int
    device: str
    code: dict[str, str | None]
    libraries: dict[str, str]
    data: dict[str, DataFile]
    config: dict[str, Any]
    warnings: list[str]

    @classmethod
    def beginning(cls, request: Request, corpus: Corpus, *, device: str, **rest: Any) -> Self:
        """The results of a call that has found nothing yet; `rest` are the fields of the class."""
        return cls(
            command=request.command,
            machine=describe_machine(),
            threads=torch.get_num_threads(),
            device=str(resolve_device(device)),
            data=corpus.files,
            config=json.loads(json.dumps(request.published_settings(), default=str)),
            warnings=corpus.warnings,
            **origin(),
            **rest,
        )

    def going_on(self, path: Path, *, resume: bool, overwrite: bool) -> Self:
        """These, with what an earlier call found if there is one to go on with. Makes the folder.

        Args:
            path: the file in its folder.
            resume, overwrite: what was asked for.

        Raises:
            UsageError: there is something that may not be overwritten, or that was made otherwise.
        """
        if not goes_on(path.parent, path.name, kind=self.KIND, resume=resume, overwrite=overwrite):
            path.parent.mkdir(parents=True, exist_ok=True)
            return self
        before = self.read(path)
        for name in self.SAME:
            if getattr(before, name) != getattr(self, name):
                raise UsageError(f"{path.parent} was made with other {name}; --overwrite starts anew")
        commands = "\n".join(dict.fromkeys([*before.command.splitlines(), self.command]))
        found = {self.FOUND: getattr(before, self.FOUND)}
        return self.model_copy(update={"created": before.created, "command": commands, **found})

    def write_markdown(self, columns: Mapping[str, str], rows: Iterable[Sequence[str]], notes: Iterable[str]) -> str:
        """A table with what is needed to judge and repeat it.

        Args:
            columns: heading and alignment (`---` or `---:`) of each column.
            rows: cells, one a column.
            notes: sentences below the table; the warnings follow them.
        """
        return render(TEMPLATE, results=self, columns=columns, rows=rows, notes=notes)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The results that were written to `path`.

        Raises:
            UsageError: it is something else.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise UsageError(f"{path}: not a {cls.KIND} of this version; --overwrite starts anew") from error


def goes_on(output: Path, name: str, *, kind: str, resume: bool, overwrite: bool) -> bool:
    """True if `output` has results to continue; if False, it may be written.

    Raises:
        UsageError: there is something that may not be overwritten.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other")
    exists = (output / name).exists()
    if not exists and output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"{output} exists and is not a {kind}; choose another --output")
    if exists and not overwrite and not resume:
        raise UsageError(f"{output} exists; --resume goes on with it, --overwrite replaces it")
    return exists and resume
