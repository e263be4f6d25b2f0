import dataclasses
import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from model.checkpoint import load_checkpoint, save_checkpoint
from training.__main__ import main
from training.cli.checklist import checklist
from training.evaluation.checklist.check import NUM_CASES, all_cases


def test_the_command_measures_a_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    result = CliRunner().invoke(
        main, ["checklist", str(tiny_checkpoint), "--json", str(file), "--language", "zh", "--cases", "20"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text(encoding="utf-8"))["capabilities"]
    capabilities = {case.capability for case in all_cases("zh")} | {"zh/negation: all"}
    assert set(found) == capabilities - {"zh/neutral facts"}
    assert "Neutral facts are left out: the checkpoint has no label neutral." in result.output
    some = found["zh/polarity"]
    assert some["cases"] == 20
    assert f"| zh/polarity | label | 20 | {some['rate']:.1%} |" in result.output
    missing = CliRunner().invoke(main, ["checklist", str(tmp_path / "nowhere")])
    assert (missing.exit_code, "nowhere" in missing.output) == (2, True)


def test_the_card_gets_the_table_once_and_the_checkpoint_stays_whole(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    call = ["checklist", str(folder), "--language", "zh", "--cases", "2", "--card"]
    first, second = (CliRunner().invoke(main, call) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    before, after = load_checkpoint(tiny_checkpoint), load_checkpoint(folder)
    assert f"the checkpoint is version {after.version} now" in second.output
    assert after.version != before.version
    assert after.card.count("## Robustness") == after.card.count("| zh/polarity |") == 1
    assert after.card.startswith(before.card.partition("## Limits")[0].rstrip())


def test_a_checkpoint_of_other_labels_is_refused(tmp_path: Path, tiny_checkpoint: Path) -> None:
    loaded = load_checkpoint(tiny_checkpoint)
    other = dataclasses.replace(loaded, config=loaded.config.model_copy(update={"labels": ("bad", "good")}), metrics={})
    save_checkpoint(tmp_path / "other", other)
    result = CliRunner().invoke(main, ["checklist", str(tmp_path / "other")])
    assert result.exit_code == 2
    assert (
        "the checklist is for the labels negative and positive, with or without neutral, not bad, good" in result.output
    )


def test_the_option_says_the_library_s_number_of_cases() -> None:
    (cases,) = [option for option in checklist.params if option.name == "cases"]
    assert cases.default == NUM_CASES
