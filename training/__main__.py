"""`python -m training`: the command line of the offline pipeline."""

import click

from training.cli.agreement import agreement
from training.cli.average import average
from training.cli.checklist import checklist
from training.cli.choose import choose
from training.cli.compare import compare
from training.cli.contrast import contrast
from training.cli.distill import distill
from training.cli.embed import embed
from training.cli.evaluate import evaluate
from training.cli.export import export
from training.cli.group import Commands
from training.cli.inspect import inspect
from training.cli.label import label
from training.cli.leaks import leaks
from training.cli.mix import mix
from training.cli.precision import precision
from training.cli.pretrain import pretrain
from training.cli.reference import reference
from training.cli.report import report
from training.cli.sentences import sentences
from training.cli.settings import recipes, settings
from training.cli.teach import teach
from training.cli.train import train
from training.cli.tune import tune
from training.cli.vectors import vectors

PROGRAM = "python -m training"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Trains text classifiers and measures them.

    Exit codes: 0 done, 1 the run failed, 2 the call or its input was wrong, 130 interrupted.
    """


COMMANDS = (
    *(train, evaluate, report, checklist, reference, precision, distill, average),
    *(pretrain, teach, label, agreement, choose),
    *(vectors, embed, inspect, mix, contrast, sentences, leaks, compare, tune, export, recipes, settings),
)

for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name=PROGRAM)
