"""How often does a sentiment checkpoint fail where a person does not?

    python -m training.evaluation.checklist CHECKPOINT [--json FILE] [--card] [--language en|zh|both]

Prints a Markdown table of failure rates by capability, and the worst failures of each.
"""

import json
from pathlib import Path
from typing import get_args

import click

from training.evaluation.checklist.check import (
    NUM_CASES,
    Language,
    all_cases,
    as_json,
    judge,
    positive_column,
    section,
    summarise,
    table,
    worst_lines,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
@click.option("--card", is_flag=True, help="Write the table into the checkpoint's card, in place of an earlier one.")
@click.option("--language", type=click.Choice(get_args(Language)), default="both", show_default=True)
@click.option(
    "--cases", type=click.IntRange(min=2), default=NUM_CASES, show_default=True, help="A capability, at most."
)
@click.option("--worst", type=click.IntRange(min=0), default=3, show_default=True, help="Failures shown a capability.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def main(
    checkpoint: Path, json_file: Path | None, card: bool, language: Language, cases: int, worst: int, device: str
) -> None:
    """Tests the sentiment CHECKPOINT on templates for negation, contrast, typos and more."""
    from model.checkpoint import load_checkpoint, replace_card
    from model.classifier import Classifier
    from model.errors import ModelError

    try:
        loaded = load_checkpoint(checkpoint)
        classifier = Classifier(loaded, device=device)
        column = positive_column(classifier.labels)
    except (ModelError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    outcomes = judge(all_cases(language, cases), lambda texts: classifier.predict(texts)[:, column].tolist())
    found = summarise(outcomes, num_worst=worst)
    click.echo(f"{checkpoint.name} (version {classifier.version})\n\n{table(found)}\n")
    click.echo("\n".join(worst_lines(found)))
    if json_file is not None:
        about = {"name": checkpoint.name, "version": classifier.version}
        json_file.write_text(json.dumps(as_json(found, about), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if card:
        version = replace_card(checkpoint, section(loaded.card, table(found)))
        click.echo(f"the card has the table; the checkpoint is version {version} now")


if __name__ == "__main__":
    main(prog_name="python -m training.evaluation.checklist")
