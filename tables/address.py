"""Addresses of remote files, `s3://bucket/path`, and the paths that stand for them, which have one slash fewer."""

import re
from pathlib import Path

REMOTE = re.compile(r"(s3|gs|gcs|hdfs|abfs|abfss):/+(?=[^/])")


def is_remote(path: Path | str) -> bool:
    """True if a path stands for an address of a remote file system.

    >>> is_remote(Path("s3://bucket/a.csv")), is_remote(Path("data/a.csv"))
    (True, False)
    """
    return REMOTE.match(str(path)) is not None


def is_unicode(path: Path | str) -> bool:
    r"""True if a path's name can be written in a file or an answer: one in an older encoding, as ZIP leaves it, cannot.

    >>> is_unicode(Path("/tmp/四.csv")), is_unicode(Path("/tmp/caf\udce9.csv"))
    (True, False)
    """
    try:
        str(Path(path).resolve()).encode()
    except UnicodeEncodeError:
        return False
    return True


def address_of(path: Path | str) -> str:
    """The address that a path stands for; another path as it is.

    >>> address_of(Path("s3://bucket/a.csv")), address_of(Path("a.csv"))
    ('s3://bucket/a.csv', 'a.csv')
    """
    return REMOTE.sub(r"\1://", str(path), count=1)
