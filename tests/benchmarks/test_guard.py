import pytest
from click.testing import CliRunner

from benchmarks import guard
from benchmarks.lib.ratios import Check, Spread


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server and next to no texts."""
    monkeypatch.setattr(guard, "NUM_TEXTS", 4)
    monkeypatch.setattr(guard, "ROUNDS", 1)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setattr(guard, "set_num_threads", lambda _: None)


def checks(ratio: float) -> list[Check]:
    return [Check("server", Spread(ratio, ratio, ratio), 0.5)]


@pytest.mark.parametrize(("ratio", "code"), [(0.6, 0), (0.4, 1)])
def test_a_ratio_below_its_floor_fails(monkeypatch: pytest.MonkeyPatch, ratio: float, code: int) -> None:
    monkeypatch.setattr(guard, "engine_check", lambda *_: Check("engine", Spread(9, 9, 9), 2))
    monkeypatch.setattr(guard, "server_checks", lambda *_: checks(ratio))
    done = CliRunner().invoke(guard.main, [])
    assert done.exit_code == code, done.output
    assert ("TOO SLOW" in done.output) is bool(code)


def test_without_the_engine_it_says_so_and_compares_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.engine.cpu.unfit", lambda _: "its library has not been built")
    monkeypatch.setattr(guard, "unfit", lambda _: "its library has not been built")
    monkeypatch.setattr(guard, "server_checks", lambda *_: checks(0.6))
    done = CliRunner().invoke(guard.main, [])
    assert done.exit_code == 0, done.output
    assert "engine: NOT COMPARED, its library has not been built\nserver: 0.60" in done.output
