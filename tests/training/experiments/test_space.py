from pathlib import Path

import numpy as np
import pytest

from training.config.config import TrainConfig, flatten
from training.errors import UsageError
from training.experiments.space import Choice, Range, Space, describe_space, draw, read_space, without


def written(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_space_holds_settings_near_the_defaults() -> None:
    space, defaults = read_space(), flatten(TrainConfig())
    for key, values in space.items():
        if isinstance(values, Choice):
            assert defaults[key] in values.values, key
        else:
            assert values.low <= defaults[key] <= values.high, key


def test_a_file_is_read_with_its_sections(tmp_path: Path) -> None:
    text = "[loop]\nepochs = {low = 2, high = 9}\nbetas = [[0.9, 0.98], [0.9, 0.999]]\n[dropouts]\nword = [0, 0.1]\n"
    space = read_space(written(tmp_path, text))
    assert space == {
        "loop.epochs": Range(low=2, high=9),
        "loop.betas": Choice(values=([0.9, 0.98], [0.9, 0.999])),
        "dropouts.word": Choice(values=(0, 0.1)),
    }
    assert describe_space(space)["loop.epochs"] == {"low": 2, "high": 9, "log": False}


def test_what_is_drawn_follows_from_seed_and_number() -> None:
    space = read_space()
    drawn = [draw(space, seed=1, number=number) for number in range(1, 20)]
    assert drawn == [draw(dict(reversed(space.items())), seed=1, number=number) for number in range(1, 20)]
    assert drawn[0] != drawn[1]
    assert drawn[0] != draw(space, seed=2, number=1)


def test_numbers_are_within_bounds_readable_and_spread() -> None:
    rng = np.random.default_rng(0)
    even, log, whole = Range(low=0, high=0.5), Range(low=1e-4, high=1e-2, log=True), Range(low=2, high=4)
    values = [even.draw(rng) for _ in range(1000)]
    assert 0.0 <= min(values) < 0.01 < 0.49 < max(values) <= 0.5
    assert all(value == float(f"{value:.3g}") for value in values)
    assert np.mean([log.draw(rng) < 1e-3 for _ in range(1000)]) == pytest.approx(0.5, abs=0.05)
    assert {whole.draw(rng) for _ in range(100)} == {2, 3, 4}
    wide = [Range(low=10, high=99999, log=True).draw(rng) for _ in range(100)]
    assert all(isinstance(value, int) for value in wide)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no setting to search"),
        ("loop.epoch = [1, 2]", r"did you mean loop\.epochs"),
        ("loop.epochs = [1, 0]", "greater than or equal to 1"),
        ("dropouts.word = {low = 0.1, high = 1.5}", "less than 1"),
        ("dropouts.word = {low = 0.3, high = 0.2}", "low must be below high"),
        ("dropouts.word = {low = 0.1}", "Field required"),
        ("dropouts.word = {low = 0.1, high = 0.2, step = 1}", "Extra inputs"),
        ("dropouts.word = {low = 0.0, high = 0.2, log = true}", "low must be above 0"),
        ("dropouts.word = []", "write a list of values"),
        ("dropouts.word = 0.3", "write a list of values"),
        ("seed = [1, 2]", "seed: cannot be searched"),
        ("data.label_column = ['a', 'b']", "cannot be searched"),
        ("dropouts = ", "cannot be read as TOML"),
    ],
)
def test_what_cannot_be_searched_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_space(written(tmp_path, text))
    assert "space.toml" in str(caught.value)


def test_what_is_set_is_not_searched() -> None:
    space: Space = {"loop.epochs": Choice(values=(1, 2)), "dropouts.word": Choice(values=(0.1,))}
    assert list(without(space, ["loop.epochs =3", "seed=1"])) == ["dropouts.word"]
    with pytest.raises(UsageError, match="leave out a --set"):
        without(space, ["loop.epochs=3", "dropouts.word=0"])
