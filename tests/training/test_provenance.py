import hashlib
import re
from pathlib import Path

import pytest

from training import provenance
from training.provenance import code_version, describe_machine, file_digest, library_versions


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_versions() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", code_version()["version"] or "")
    assert library_versions()["torch"].startswith("2.")
    assert re.search(r", \d+ cores$", describe_machine())


def test_a_folder_without_git_or_project_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert code_version() == {"version": None, "commit": None}


def test_what_cannot_be_found_out_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    (tmp_path / ".git").mkdir()
    assert code_version()["commit"] is None
    monkeypatch.setattr(provenance, "LIBRARIES", ("no-such-library",))
    assert library_versions()["no-such-library"] == "unknown"


def test_a_machine_that_does_not_name_its_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "CPUINFO", Path("/nowhere"))
    assert re.search(r"^.+, \d+ cores$", describe_machine())
