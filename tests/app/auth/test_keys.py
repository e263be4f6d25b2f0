"""Tests keys as they stand in a file and as the command prints them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from app.__main__ import cli
from app.auth.keys import PREFIX, digest_of, parse_keys, read_keys
from app.config.settings import SettingsError
from tests.app.conftest import made

HASH = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", None),
        ("# a note", None),
        (f"search {HASH}", None),
        (f"search {HASH} roles=predict,admin rate=0.5 burst=10", None),
        (f"search\t{HASH}\trate=5", None),
        (f"bad/name {HASH}", "a key begins with its name"),
        ("search CANARY", "not the key itself"),
        ("search", "not the key itself"),
        (f"search {HASH} CANARY", "after the hash come roles=…, rate=… and burst=…"),
        (f"search {HASH} rate=1 rate=2", "each at most once"),
        (f"search {HASH} roles=CANARY", "roles are predict, metrics, admin"),
        (f"search {HASH} rate=CANARY", "rate must be a number above 0"),
        (f"search {HASH} rate=0", "rate must be a number above 0"),
        (f"search {HASH} rate=-1", "rate must be a number above 0"),
        (f"search {HASH} burst=5", "burst is given without rate"),
        (f"search {HASH} rate=5 burst=0.5", "burst is below 1"),
    ],
)
def test_a_wrong_line_is_named_and_not_shown(line: str, sentence: str | None) -> None:
    if sentence is None:
        assert len(parse_keys(line, "keys")) == line.startswith("search")
        return
    with pytest.raises(SettingsError) as error:
        parse_keys(f"\n{line}", "keys")
    assert "keys line 2" in str(error.value)
    assert sentence in str(error.value)
    assert "CANARY" not in str(error.value)


def test_what_cannot_be_read_or_is_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_keys("", path)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="it is not UTF-8"):
        read_keys("", path)
    path.write_text("# nothing yet\n")
    with pytest.raises(SettingsError, match="holds no key"):
        read_keys("", path)
    for inline in (" ", ";", "# search later"):
        with pytest.raises(SettingsError, match=r"^SLUICE_API_KEYS \(--api-keys\) holds no key; leave it out"):
            read_keys(inline, None)
    path.write_text(f"search {HASH}\n")
    with pytest.raises(SettingsError, match="The name of the API key search is given twice"):
        read_keys(f"search sha256:{'1' * 64}", path)
    with pytest.raises(SettingsError, match="The secret of the API key other is given twice"):
        read_keys(f"other {HASH}", path)
    assert [key.name for key in read_keys(f"a sha256:{'1' * 64}; b sha256:{'2' * 64}", path)] == ["a", "b", "search"]


@pytest.mark.parametrize("name", ["two words", "", "a/b", "x" * 65])
def test_a_name_that_cannot_be_is_told_before_anything_is_printed(name: str) -> None:
    done = CliRunner().invoke(cli, ["key", name])
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name!r} cannot name a key; use up to 64 letters" in done.stderr


def test_the_command_prints_a_secret_once_and_the_line_to_store() -> None:
    done = CliRunner().invoke(cli, ["key", "search", "--role", "predict", "--role", "admin", "--rate", "50"])
    assert done.exit_code == 0
    secret = done.stderr.split()[-1]
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43  # 256 bits
    (key,) = parse_keys(done.stdout, "keys")
    assert (key.name, key.roles, key.rate, key.burst) == ("search", frozenset({"predict", "admin"}), 50.0, 50.0)
    assert key.digest == digest_of(secret.encode())
    assert secret not in done.stdout


@pytest.mark.parametrize("option", ["--rate=much", "--rate=", "--role="])
def test_no_key_is_made_by_a_wrong_or_empty_option(option: str) -> None:
    done = CliRunner().invoke(cli, ["key", "search", option])
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.mark.parametrize("rate", ["0.000001", "0.5", "10", "1234567.25", "999999999"])
def test_what_is_printed_can_be_read(rate: str) -> None:
    _, line = made(rate=rate)
    (key,) = parse_keys(line, "keys")
    assert key.rate == float(rate)
    assert key.line() == line
