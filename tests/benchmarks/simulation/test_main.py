from pathlib import Path

from click.testing import CliRunner

from benchmarks.simulation.__main__ import main


def test_a_file_that_is_no_calibration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    for content in (None, "{}"):
        if content is not None:
            path.write_text(content)
        result = CliRunner().invoke(main, ["scenarios", "zone", "--calibration", str(path)])
        assert result.exit_code == 1
        assert "some.json" in result.output


def test_the_figures_of_all_scenarios_are_kept_or_none() -> None:
    result = CliRunner().invoke(main, ["scenarios", "zone", "--write"])
    assert result.exit_code == 2
    assert "name none" in result.output


def test_texts_that_cannot_be_read_are_named() -> None:
    result = CliRunner().invoke(main, ["measure", "nowhere.parquet"])
    assert result.exit_code == 1
    assert "nowhere.parquet" in result.output


def test_figures_that_are_missing_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["predict", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "simulation-calibration.json" in result.output
