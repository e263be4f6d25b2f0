from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from benchmarks.bulk.kill import main


def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    """One part alone: the kill comes before it, after it, or just before the end, and then the run goes on."""
    pq.write_table(pa.table({"text": ["A gripping film.", "Dull."]}), tmp_path / "a.parquet")
    result = CliRunner().invoke(main, [str(tmp_path / "a.parquet"), "--rows", "500", "--times", "1"])
    went_on = ": equal" in result.output and ", went on: " in result.output
    assert f"1 kills, {int(went_on)} runs went on, 0 outputs differ" in result.output
    assert result.exit_code == (0 if went_on else 1)
