"""The list of commands, and the help of each."""

from tests.training.cli.commands import call


def test_help_and_lists() -> None:
    for command in ("train", "evaluate", "tune", "recipes", "settings"):
        result = call(command, "--help")
        assert (result.exit_code, "Usage:" in result.output) == (0, True)
        assert command in call("--help").output
    for command in (
        "train",
        "distill",
        "mix",
        "sentences",
        "contrast",
        "pretrain",
        "tune",
        "compare",
        "reference",
        "inspect",
    ):
        assert "\n  python -m training " in call(command, "--help").output, "an example is a line of its own"
    assert "sst2" in call("recipes").output
    assert "expected" in call("recipes", "sst2").output
    assert "loop.epochs = " in call("settings").output
    assert "weights = float16" in call("settings", "--recipe", "sst2").output
