"""Writes files whole or not at all: a reader sees the old content or the new one.

The content goes to a file beside the path, which is then renamed. A process that stops half way and a full disk do no
harm; it does not wait for the disk, so a power failure may lose the new content.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write to; at the end the file there takes the place of `path`.

    If the block raises, `path` stays as it was; what was written so far stays beside it until the next attempt. Two
    writers of one path need a lock.

    Raises:
        OSError: the file cannot be renamed.
    """
    partial = path.with_name(f"{path.name}.partial")
    yield partial
    partial.replace(path)


def replace(path: Path, content: bytes | str) -> None:
    """Writes a file, text as UTF-8, in place of one that may stand there.

    Raises:
        OSError: it cannot be written; what stood there before still does.
    """
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
