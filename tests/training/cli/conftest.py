"""A checkpoint that the tests of several commands read."""

from pathlib import Path

import pytest
from click.testing import Result

from tests.training.cli.commands import call
from tests.training.conftest import TINY


@pytest.fixture(scope="session")
def trained(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A finished checkpoint, and what its training printed."""
    output = tmp_path_factory.mktemp("trained") / "reviews"
    result = call(
        "train",
        "--train",
        reviews / "train.csv",
        "--test",
        reviews / "test.csv",
        "--output",
        output,
        "--seed",
        1,
        *TINY,
    )
    return output, result
