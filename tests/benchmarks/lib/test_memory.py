"""Memory is read as the kernel writes it."""

from pathlib import Path

from benchmarks.lib.memory import rollup


def test_kinds_are_bytes(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    lines = ("55d0-7ffc ---p 0 00:00 0 [rollup]", "Rss:                 884 kB", "Pss_Anon:            100 kB")
    (tmp_path / "7" / "smaps_rollup").write_text("\n".join(lines))
    assert rollup(7, tmp_path) == {"Rss": 884 * 1024, "Pss_Anon": 100 * 1024}
