"""The command line, as far as no server is needed; `test_server.py` has the rest."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.__main__ import cli
from app.config.settings import OPTIONS, env_name, flag_name


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """The command line takes over the root logger, which is pytest's here."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def test_help_names_every_setting_its_variable_and_default() -> None:
    text = " ".join(CliRunner().invoke(cli, ["serve", "--help"]).output.split())
    for name, option in OPTIONS.items():
        assert flag_name(name) in text
        assert env_name(name) in text
        assert option.field.description
        assert " ".join(option.field.description.split()) in text
    assert "SLUICE_PORT; default: 8000" in text


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        (["--port", "high"], {}, "Error: --port (SLUICE_PORT): input should be a valid integer"),
        (["--max-texts", "5000"], {}, "Error: --max-texts (5000) is more than --max-queue-texts (4096)"),
        ([], {"SLUICE_MAX_CHARS": "0"}, "Error: --max-chars (SLUICE_MAX_CHARS): input should be greater than"),
        ([], {"SLUICE_TYPO": "0"}, "Error: SLUICE_TYPO is not a setting"),
        (["--host", "192.0.2.1", "--port", "0"], {}, "Error: Cannot listen on 192.0.2.1 port 0: "),
        (["--frobnicate"], {}, "Error: No such option"),
        (["--api-keys-file", ""], {}, "Error: --api-keys-file is empty; give it a value, or leave it out"),
        (["--canary", " "], {}, "Error: --canary is empty; give it a value, or leave it out"),
        ([], {"SLUICE_API_KEYS": ";"}, "Error: SLUICE_API_KEYS (--api-keys) holds no key"),
    ],
)
def test_wrong_call_is_one_sentence_and_code_2(arguments: list[str], environ: dict[str, str], sentence: str) -> None:
    result = CliRunner().invoke(cli, ["serve", *arguments], env=environ)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_checkpoint_that_is_not_there_is_a_sentence_and_code_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["serve", "--port", "0", "--model", f"gone={tmp_path / 'gone'}"])
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path / 'gone'}: there is no such folder\n"
