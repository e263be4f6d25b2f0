"""The command `python -m training checklist`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import DEVICE, FILE, THREADS

if TYPE_CHECKING:
    from training.evaluation.checklist.check import Language


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--json", "json_file", type=FILE, help="Write all figures to this file.")
@click.option("--card", is_flag=True, help="Write the table into the checkpoint's card, in place of an earlier one.")
@click.option(
    "--language",
    type=click.Choice(["en", "zh", "both"]),
    default="both",
    show_default=True,
    help="Language of the texts.",
)
@click.option(
    "--cases",
    type=click.IntRange(min=2),
    default=120,
    show_default=True,
    metavar="N",
    help="Draw at most N cases per capability; neutral facts are always all asked.",
)
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Show the N worst failures of each capability.",
)
@DEVICE
@THREADS
def checklist(
    checkpoint: Path,
    json_file: Path | None,
    card: bool,
    language: "Language",
    cases: int,
    worst: int,
    device: str,
) -> None:
    """Tests the sentiment CHECKPOINT on templates for negation, contrast, typos and more.

    Prints a Markdown table of failure rates by capability, each with its 95% interval, and the worst failures. The
    labels must be negative and positive, with or without neutral. With it, plain statements must be called neutral,
    and a neutral answer to a judgement is a failure. The texts are made from templates of our own, in the manner of
    CheckList (Ribeiro et al. 2020); nothing may be trained or selected on them.

    With --card, README.md and SHA256SUMS of the checkpoint are written again. The version changes, for it is the digest
    of the whole folder; scores do not.

    \b
    python -m training checklist runs/reviews --card
    """
    from model.checkpoint import load_checkpoint, replace_card
    from model.classifier import Classifier
    from training.evaluation.checklist.check import (
        all_cases,
        as_json,
        askable,
        check_labels,
        judge,
        report,
        section,
        summarise,
        table,
    )

    loaded = load_checkpoint(checkpoint)
    classifier = Classifier(loaded, device=device)
    check_labels(classifier.labels)
    asked = askable(all_cases(language, cases), classifier.labels)
    outcomes = judge(asked, lambda texts: classifier.predict(texts).tolist(), classifier.labels)
    found = summarise(outcomes, num_worst=worst)
    click.echo(f"{checkpoint.name} (version {classifier.version})\n\n{report(found, classifier.labels)}")
    if json_file is not None:
        about = {"name": checkpoint.name, "version": classifier.version}
        json_file.write_text(json.dumps(as_json(found, about), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if card:
        version = replace_card(checkpoint, section(loaded.card, table(found)))
        click.echo(f"The card has the table; the checkpoint is version {version} now.")
