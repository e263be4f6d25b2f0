"""The settings beside a checkpoint, as another machine takes them."""

from pathlib import Path

import pytest

from training.config.config import build_config, to_toml
from training.config.layers import repeatable
from training.config.request import CallOptions


def test_files_below_the_working_directory_are_found_by_the_same_layout_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs, other = (tmp_path / name for name in ("mine", "theirs", "other"))
    for folder in (mine, theirs, other):
        folder.mkdir()
    monkeypatch.chdir(mine)
    call = CallOptions(
        output=Path("m"), data_root=Path("data"), train_file=(Path("a.csv"), other / "b.csv"), test=Path("data/c.csv")
    )
    settings = to_toml(repeatable(call.request().config, mine / "data"))
    assert str(mine) not in settings
    monkeypatch.chdir(theirs)
    Path("m.toml").write_text(settings, encoding="utf-8")
    again = CallOptions(output=Path("m"), data_root=Path("data"), config_file=Path("m.toml")).request().config
    assert again.data.train == (str(theirs / "a.csv"), str(other / "b.csv"))
    assert again.data.test == str(theirs / "data" / "c.csv")


def test_what_is_no_local_file_stays() -> None:
    config = build_config({"data": {"train": "hf:some/name"}})
    assert repeatable(config, Path("/data")) == config
