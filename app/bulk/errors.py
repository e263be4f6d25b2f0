"""The error of a call to score files; it names what is wrong and what to do."""

from importlib.util import find_spec


class BulkError(Exception):
    """Files cannot be scored as the call asks; `str(error)` is a sentence for the caller."""


def check_pyarrow() -> None:
    """Checks that what reads and writes files is installed.

    Raises:
        BulkError: it is not.
    """
    missing = [name for name in ("pyarrow", "charset_normalizer", "python_calamine") if find_spec(name) is None]
    if missing:
        packages = "pyarrow charset-normalizer python-calamine"
        raise BulkError(f"Scoring files needs {', '.join(missing)}, not installed here: pip install {packages}")
