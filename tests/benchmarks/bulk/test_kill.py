from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from benchmarks.bulk.kill import main


def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    """One part alone, so the kill comes before or after it; parts that go on are the benchmark's, and test_run's."""
    pq.write_table(pa.table({"text": ["A gripping film.", "Dull."]}), tmp_path / "a.parquet")
    result = CliRunner().invoke(main, [str(tmp_path / "a.parquet"), "--rows", "500", "--times", "1"])
    assert result.exit_code == 1
    assert "1 kills, 0 runs went on, 0 outputs differ" in result.output
