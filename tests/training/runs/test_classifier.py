"""The part of the processes that are not the first."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from training.errors import RunError
from training.fit.parallel import Processes
from training.runs.classifier import follow
from training.runs.session import Session


def test_the_others_leave_in_silence_where_the_first_gives_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = []

    class Abandoned(Processes):
        def from_first(self, value: Any) -> Any:
            asked.append((self.rank, value))
            raise RunError("the first is gone")

    follow(Session(output=tmp_path / "m", console=Console(), device="cpu", processes=Abandoned(1, 2)))
    assert asked == [(1, None)]
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
