from pathlib import Path

import pytest

from training.config.request import CallOptions, check_output, resume_command, resumed_request
from training.errors import UsageError


def call(**options: object) -> CallOptions:
    return CallOptions(**({"output": Path("out/model"), "data_root": Path("data")} | options))  # type: ignore[arg-type]


def test_the_later_source_of_a_setting_wins(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        'seed = 5\n[loop]\nepochs = 5\n[data]\ntrain = "my/train.csv"\n', encoding="utf-8"
    )
    options = {"recipe": "sst2", "config_file": tmp_path / "my.toml", "settings": ("loop.epochs=6",), "seed": 7}
    config = call(data_root=tmp_path, **options).request().config
    assert (config.loop.epochs, config.seed, config.weights) == (6, 7, "float16")
    assert config.data.train == str(tmp_path / "my" / "train.csv")
    assert config.data.test == str(tmp_path / "sst2" / "test.parquet")


def test_a_training_file_replaces_the_files_of_a_recipe(tmp_path: Path) -> None:
    data = call(recipe="sst2", train_file=tmp_path / "a.csv", text_column="review").request().config.data
    assert (data.train, data.validation, data.test) == (str(tmp_path / "a.csv"), None, None)
    assert (data.source, data.licence, data.text_column) == ("", "", "review")


def test_a_held_out_file_that_a_setting_names_stands_beside_a_training_file(tmp_path: Path) -> None:
    named = (f"data.validation={tmp_path / 'v.csv'}", "data.licence=MIT")
    for given in ({}, {"recipe": "sst2"}):
        data = call(train_file=tmp_path / "a.csv", settings=named, **given).request().config.data
        assert (data.validation, data.test, data.licence) == (str(tmp_path / "v.csv"), None, "MIT")


def test_several_training_files_and_standard_input(tmp_path: Path) -> None:
    several = call(train_file=(tmp_path / "a.csv", tmp_path / "b-*.csv"), test=Path("-")).request()
    assert several.config.data.train == (str(tmp_path / "a.csv"), str(tmp_path / "b-*.csv"))
    assert several.config.data.test == "-"
    assert "--train a.csv --train 'b-*.csv' --test - " in several.command
    shown = several.published_settings()
    assert (shown["data.train"], shown["data.test"]) == (["a.csv", "b-*.csv"], "-")


def test_a_test_file_alone_leaves_the_others(tmp_path: Path) -> None:
    data = call(recipe="sst2", data_root=tmp_path, test=tmp_path / "a.csv").request().config.data
    assert data.test == str(tmp_path / "a.csv")
    assert data.train == str(tmp_path / "sst2" / "train.parquet")


def test_texts_without_labels_go_to_the_section_of_the_command(tmp_path: Path) -> None:
    on = ("semi.entropy=1",)
    config = call(unlabeled=(tmp_path / "more.csv",), settings=on).request().config
    assert (config.semi.unlabeled, config.distill.unlabeled) == ((str(tmp_path / "more.csv"),), ())
    config = call(unlabeled=(tmp_path / "more.csv",), command="distill").request().config
    assert (config.semi.unlabeled, config.distill.unlabeled) == ((), (str(tmp_path / "more.csv"),))
    (tmp_path / "my.toml").write_text('[semi]\nentropy = 1\nunlabeled = ["a.csv"]\n', encoding="utf-8")
    config = call(config_file=tmp_path / "my.toml", data_root=tmp_path).request().config
    assert config.semi.unlabeled == (str(tmp_path / "a.csv"),)


def test_the_command_repeats_the_call_without_folders() -> None:
    request = call(train_file=Path("/home/me/my data.csv"), settings=("seed=2",), label_column="stars").request()
    assert request.command == (
        "python -m training train --train 'my data.csv' --set seed=2 --label-column stars --output model"
    )


def test_resuming_with_other_settings_is_refused() -> None:
    begun = call(recipe="sst2", seed=1).request()
    assert resumed_request(begun, call()) is begun
    assert resumed_request(begun, call(recipe="sst2", seed=1)) is begun
    with pytest.raises(UsageError, match=r"these differ: seed \(was 1, now 2\)"):
        resumed_request(begun, call(recipe="sst2", seed=2))
    with pytest.raises(UsageError, match="leave out --seed 0"):
        resumed_request(begun, call(seed=0))


def test_nothing_is_lost_unasked(tmp_path: Path) -> None:
    output = tmp_path / "model"
    for unfinished, resume, overwrite in ((False, False, False), (True, True, False), (True, False, True)):
        check_output(output, unfinished=unfinished, resume=resume, overwrite=overwrite)
    with pytest.raises(UsageError, match="unfinished run"):
        check_output(output, unfinished=True, resume=False, overwrite=False)
    with pytest.raises(UsageError, match="contradict"):
        check_output(output, unfinished=True, resume=True, overwrite=True)
    output.mkdir()
    (output / "SHA256SUMS").touch()
    check_output(output, unfinished=False, resume=False, overwrite=True)
    with pytest.raises(UsageError, match="--overwrite replaces it"):
        check_output(output, unfinished=False, resume=False, overwrite=False)
    (output / "SHA256SUMS").rename(output / "thesis.tex")
    with pytest.raises(UsageError, match="not a checkpoint"):
        check_output(output, unfinished=False, resume=False, overwrite=True)


def test_the_command_to_go_on() -> None:
    assert resume_command(call(output=Path("a b")), "auto", None) == "python -m training train --output 'a b' --resume"
    assert resume_command(call(output=Path("m")), "cpu", 2).endswith("--output m --resume --device cpu --threads 2")


def test_choices_about_labels_are_settings_and_part_of_the_command(tmp_path: Path) -> None:
    call = CallOptions(
        output=tmp_path / "out",
        data_root=tmp_path,
        train_file=tmp_path / "a.csv",
        keep_labels=("NA", "-"),
        label_separator="|",
        merge_labels=True,
    )
    data = call.request().config.data
    assert (data.keep_labels, data.label_separator, data.merge_labels) == (("NA", "-"), "|", True)
    words = "--train a.csv --keep-label NA --keep-label - --label-separator '|' --merge-labels --output out"
    assert call.repeated() == f"python -m training train {words}"


def test_the_options_of_the_report_are_settings_and_are_repeated() -> None:
    made = call(train_file=Path("a.csv"), slice_columns=("shop", "my colour"), report=False)
    config = made.request().config
    assert (config.report, config.data.slice_columns) == (False, ("shop", "my colour"))
    words = "--train a.csv --slice-column shop --slice-column 'my colour' --no-report --output model"
    assert made.repeated() == f"python -m training train {words}"
    assert call(train_file=Path("a.csv")).request().config.report
