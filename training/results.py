"""A folder of results that grows by one finished piece at a time, and may be gone on with."""

from pathlib import Path

from training.errors import UsageError


def goes_on(output: Path, name: str, *, kind: str, resume: bool, overwrite: bool) -> bool:
    """Whether results of the file `name` stand in `output` and are to be gone on with; if not, it may be written.

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


def replace_text(path: Path, text: str) -> None:
    """Writes a file at once or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
