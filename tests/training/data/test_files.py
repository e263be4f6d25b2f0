import hashlib
from pathlib import Path

from training.data.files import digest_of, shown_path, shown_source
from training.provenance import file_digest


def test_published_paths_hold_nothing_of_the_machine(tmp_path: Path) -> None:
    assert shown_path(tmp_path / "data" / "set" / "a.csv", tmp_path / "data") == "set/a.csv"
    assert shown_path(tmp_path / "a.csv", tmp_path / "data") == "a.csv"
    assert shown_source([tmp_path / "data" / "b*.csv", Path("-")], tmp_path / "data") == "b*.csv, -"


def test_the_digest_of_several_files_is_that_of_their_list(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert digest_of(tmp_path / "a.csv") == file_digest(tmp_path / "a.csv")
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("a.csv", "b.csv"))
    assert digest_of(tmp_path / "?.csv") == hashlib.sha256(lines.encode()).hexdigest()
