from pathlib import Path

import pytest

from model.config import Architecture
from training.config.config import (
    TrainConfig,
    build_config,
    flatten,
    parse_settings,
    read_recipe,
    read_toml,
    recipe_header,
    recipe_names,
    to_toml,
)
from training.errors import UsageError


def test_later_layers_win_and_leave_the_rest() -> None:
    config = build_config({"loop": {"epochs": 3, "warmup": 0.5}, "seed": 1}, {"loop": {"epochs": 7}})
    assert (config.loop.epochs, config.loop.warmup, config.seed) == (7, 0.5, 1)
    assert build_config() == TrainConfig()


def test_settings_are_typed_by_the_configuration() -> None:
    config = build_config(
        parse_settings(
            ["loop.learning_rate=1e-3", "tokenizer.lowercase=false", "data.label_column=5", "loop.betas=[0.9, 0.95]"]
        )
    )
    assert config.loop.learning_rate == 0.001
    assert config.tokenizer.lowercase is False
    assert config.data.label_column == "5"
    assert config.loop.betas == (0.9, 0.95)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("loop.epoch=3", "loop.epoch: unknown; did you mean loop.epochs?"),
        ("epochs=3", "epochs: unknown; did you mean loop.epochs?"),
        ("hidden_size=3", "hidden_size: unknown; did you mean architecture.hidden_size?"),
        ("architecture.hiden_size=3", "architecture.hiden_size: unknown; did you mean architecture.hidden_size?"),
        ("qqqq=1", "qqqq: unknown; `python -m training settings` lists the settings"),
        ("foo.bar=1", "foo.bar: unknown; `python -m training settings` lists the settings"),
        ("lop.epochs=1", "lop.epochs: unknown; did you mean loop.epochs?"),
        ("loop.epochs=many", "loop.epochs: Input should be a valid integer"),
        ("loop.epochs=0", "loop.epochs: Input should be greater than or equal to 1"),
        ("weights=int4", "weights: Input should be 'float32' or 'float16'"),
        ("loop.betas=[0.9", "loop.betas: "),
        ("loop=3", "loop: "),
        ("architecture.vocab_size=9", "set tokenizer.vocab_size instead"),
    ],
)
def test_wrong_settings_are_explained(setting: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_config(parse_settings([setting]))
    assert message in str(caught.value)


@pytest.mark.parametrize("setting", ["epochs", "=3", "loop.=3"])
def test_settings_without_key_or_value(setting: str) -> None:
    with pytest.raises(UsageError, match="write it as key=value"):
        parse_settings([setting])


def test_every_setting_survives_a_round_trip() -> None:
    config = build_config({"seed": 3, "architecture": {"pooling": "max"}})
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
    flat = flatten(config)
    assert flat["architecture.pooling"] == "max"
    assert "architecture.vocab_size" not in flat


def test_the_architecture_gets_the_size_of_the_vocabulary() -> None:
    config = build_config({"architecture": {"hidden_size": 5, "embedding_dim": 4}})
    assert config.architecture.sized(700) == Architecture(vocab_size=700, embedding_dim=4, hidden_size=5)


def test_unreadable_toml(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[loop\n", encoding="utf-8")
    for name in ("a.toml", "none.toml"):
        with pytest.raises(UsageError, match=f"{name}: cannot be read as TOML"):
            read_toml(tmp_path / name)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'sst-2'; did you mean sst2\?"):
        read_recipe("sst-2")


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_are_valid_and_say_what_they_take(name: str) -> None:
    config = build_config(read_recipe(name))
    assert config.data.source
    assert config.data.licence
    header = recipe_header(name)
    for word in ("command", "machine", "duration", "expected", "data"):
        assert f"\n{word} " in header
    assert f"--recipe {name}" in header


def test_settings_written_as_toml_are_read_back(tmp_path: Path) -> None:
    config = build_config(
        {
            "name": 'a "b" \\ 文 \x7f\n',
            "data": {"train": "C:\\x.csv", "tests": {"a.b c": "y.csv"}, "validation_fraction": 0.25},
            "loop": {"betas": [0.5, 1e-9], "learning_rate": 1e-5},
            "tokenizer": {"lowercase": False},
            "semi": {"entropy": 1, "unlabeled": ["u.csv"]},
            "distill": {"augment": {"variants": 3}},
        }
    )
    (tmp_path / "all.toml").write_text(to_toml(config), encoding="utf-8")
    assert build_config(read_toml(tmp_path / "all.toml")) == config
    assert to_toml(TrainConfig()) == ""
