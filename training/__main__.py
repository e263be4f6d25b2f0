"""`python -m training`: the command line of the offline pipeline.

Options are read here and nowhere else. What imports torch is imported inside the commands: `--help` answers at once.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.errors import CheckpointError, ConfigError, InputError, ModelError
from training.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from training.record import Record

INTERRUPTED = 130
PROGRAM = "python -m training"


class Failure(click.ClickException):
    """The run failed; the user is told why in a sentence, without a traceback."""

    exit_code = 1

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error) or type(error).__name__)


class Misuse(Failure):
    """The call or its input was wrong."""

    exit_code = 2


class Commands(click.Group):
    """Turns expected errors into messages and exit codes; a bug keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except (UsageError, CheckpointError, ConfigError, InputError) as error:
            raise Misuse(error) from error
        except (TrainingError, ModelError, OSError, MemoryError) as error:
            raise Failure(error) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Trains text classifiers and measures them.

    Exit codes: 0 done, 1 the run failed, 2 the call or its input was wrong, 130 interrupted.
    """


FILE = click.Path(path_type=Path)

DEVICE = click.option(
    "--device", default="auto", show_default=True, help="auto (CUDA if there is one), cpu, cuda or cuda:N."
)
THREADS = click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: as PyTorch chooses]")


def _data_options(command: Any) -> Any:
    """Adds the options that say which texts are trained on."""
    options = [
        click.option(
            "--train",
            "train_file",
            type=FILE,
            help="Labelled texts: .csv, .tsv, .jsonl or .parquet; text formats also as .gz. Replaces a recipe's files.",
        ),
        click.option(
            "--validation", type=FILE, help="Texts that pick the weights; if not given, some of the training texts."
        ),
        click.option("--test", type=FILE, help="Texts that are only scored, once, at the end."),
        click.option("--text-column", help="Column of the texts.  [default: text]"),
        click.option(
            "--label-column",
            help="Column of the labels: text, numbers or booleans; lists make it multi-label.  [default: label]",
        ),
        click.option(
            "--data-root",
            type=FILE,
            envvar="SLUICE_DATA",
            default="data",
            show_default=True,
            show_envvar=True,
            help="Folder where the files that a recipe or TOML file names are looked for.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _recipe_options(command: Any) -> Any:
    """Adds the options that say how it is trained, all but the seed."""
    options = [
        click.option("--recipe", metavar="NAME", help="Start from the settings of a recipe; `recipes` lists them."),
        click.option("--config", "config_file", type=FILE, help="Settings in a TOML file, over those of the recipe."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="One setting, over recipe and file, for example loop.epochs=5. Repeatable; `settings` lists them.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _setting_options(command: Any) -> Any:
    """Adds the options that say how it is trained."""
    seed = click.option("--seed", type=click.IntRange(min=0), help="Of everything random.  [default: 0]")
    return _recipe_options(seed(command))


def _run_options(command: Any) -> Any:
    """Adds the options that say where a run is written, and whether it goes on."""
    options = [
        click.option("--output", type=FILE, required=True, help="The checkpoint folder to write."),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with the interrupted run of --output. Its settings need not be repeated; if they are, they "
            "must agree. With no such run and the data named, starts one.",
        ),
        click.option(
            "--overwrite",
            is_flag=True,
            help="Replace the checkpoint, or give up the unfinished run, at --output.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@_data_options
@_setting_options
@_run_options
@DEVICE
@THREADS
def train(output: Path, device: str, threads: int | None, resume: bool, overwrite: bool, **options: Any) -> None:
    r"""Trains a classifier on a file of labelled texts.

    Ctrl-C (or SIGTERM) stops after the current step and leaves a state in OUTPUT.run; the command to go on is printed.
    A state is also saved every five minutes.

    \b
    python -m training train --train reviews.csv --output checkpoints/reviews
    python -m training train --recipe sst2 --seed 1 --output checkpoints/sst2
    """
    from training.train import train as run_training

    _limit_threads(threads)
    _run("train", run_training, output, device, threads, resume=resume, overwrite=overwrite, options=options)


@main.command()
@click.option(
    "--teacher",
    "teachers",
    type=FILE,
    multiple=True,
    help="A folder that transformers loads as a sequence classifier, or a checkpoint; of several the mean counts.",
)
@_data_options
@click.option(
    "--unlabeled", type=FILE, multiple=True, help="Texts without labels, for the teacher to label. Repeatable."
)
@click.option(
    "--label-map",
    multiple=True,
    metavar="OURS=TEACHERS",
    help="The teacher's name for one of our labels, where they differ; LABEL_1, say. Repeatable.",
)
@click.option(
    "--vectors",
    metavar="SOURCE",
    help="Where the embedding starts: teacher (its own input vectors), none, a file of vectors (GloVe, word2vec or "
    "fastText, as text) or a model's folder.  [default: teacher]",
)
@click.option(
    "--cache", type=FILE, help="Folder that keeps the teacher's logits, for further students.  [default: none is kept]"
)
@_setting_options
@_run_options
@DEVICE
@THREADS
def distill(
    output: Path,
    device: str,
    threads: int | None,
    resume: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    r"""Trains a classifier to answer as a larger one does.

    The teacher labels the training texts, the unlabelled ones and variants of them; the student is trained towards its
    logits. Everything else is as with train: settings, checkpoint, Ctrl-C and --resume.

    \b
    python -m training teach --encoder minilm --train reviews.csv --validation dev.csv --output teacher
    python -m training distill --teacher teacher --train reviews.csv --validation dev.csv --output checkpoints/student
    """
    from training.distill import distill as run_distillation

    _limit_threads(threads)
    _run("distill", run_distillation, output, device, threads, resume=resume, overwrite=overwrite, options=options)


@main.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@click.option("--without", type=FILE, multiple=True, help="A file none of whose texts is to be taken. Repeatable.")
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
def mix(files: tuple[Path, ...], output: Path, without: tuple[Path, ...], text_column: str, label_column: str) -> None:
    r"""Makes one training file out of several: each text once, and none that a test file holds.

    \b
    python -m training mix a/train.csv b/train.csv --without a/test.csv --without b/test.csv --output mixed.parquet
    """
    from training.mix import mix as run_mix

    reports = run_mix(files, output, without=without, text_column=text_column, label_column=label_column)
    for report in reports:
        dropped = f"held out {report.held_out:,}, repeated {report.repeated:,}, contradicted {report.contradicted:,}"
        click.echo(f"{report.path}: kept {report.kept:,}, {dropped}")


def _run(
    command: str,
    function: Any,
    output: Path,
    device: str,
    threads: int | None,
    *,
    resume: bool,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    """Begins or takes up a run of `train` or `distill`, and tells how it ended."""
    from training.report import make_console
    from training.request import CallOptions, check_output, new_request, resume_command, resumed_request
    from training.runs import RunFolder

    call = CallOptions(output=output, command=command, **options)
    run = RunFolder(output)
    check_output(output, unfinished=run.exists, resume=resume, overwrite=overwrite)
    going_on = resume and run.exists
    request = resumed_request(run.request(), call) if going_on else new_request(call)
    record = function(request, output, resume=going_on, device=device, console=make_console())
    if record is None:
        click.echo(f"stopped; to go on: {resume_command(output, device, threads, command)}", err=True)
        sys.exit(INTERRUPTED)
    _tell_result(record, output)


@main.command()
@click.option("--encoder", type=FILE, required=True, help="A folder that transformers loads; nothing is fetched.")
@click.option("--train", "train_files", type=FILE, multiple=True, required=True, help="Labelled texts. Repeatable.")
@click.option("--validation", type=FILE, required=True, help="Texts that pick the weights.")
@click.option("--text-column", default="text", show_default=True, help="Column of the texts.")
@click.option("--label-column", default="label", show_default=True, help="Column of the labels.")
@click.option("--output", type=FILE, required=True, help="The folder to write, for transformers and for distill.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, for example epochs=3 or batch_rows=32. Repeatable; see training/teach.py.",
)
@DEVICE
@THREADS
def teach(
    encoder: Path,
    train_files: tuple[Path, ...],
    validation: Path,
    text_column: str,
    label_column: str,
    output: Path,
    settings: tuple[str, ...],
    device: str,
    threads: int | None,
) -> None:
    """Fine-tunes an encoder of Hugging Face into a teacher for distill."""
    from model.device import resolve_device
    from training.data import read_dataset
    from training.report import make_console
    from training.teach import StepLines, fine_tune, parse_teach_config

    _limit_threads(threads)
    config = parse_teach_config(settings)
    datasets = [read_dataset(path, text_column=text_column, label_column=label_column) for path in train_files]
    held_out = read_dataset(validation, text_column=text_column, label_column=label_column)
    console = make_console()
    best = fine_tune(
        encoder, datasets, held_out, output, config, device=resolve_device(device), report=StepLines(console)
    )
    console.print(f"validation accuracy {best:.4f}; wrote {output}", markup=False)


@main.command()
@click.argument("checkpoint", type=FILE)
@click.argument("file", type=FILE)
@click.option("--text-column", default="text", show_default=True, help="Column of the texts.")
@click.option("--label-column", default="label", show_default=True, help="Column of the labels.")
@click.option(
    "--worst", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="Show the N worst mistakes."
)
@click.option("--json", "json_file", type=FILE, help="Write all figures to this file, in the form of metrics.json.")
@DEVICE
@THREADS
def evaluate(
    checkpoint: Path,
    file: Path,
    text_column: str,
    label_column: str,
    worst: int,
    json_file: Path | None,
    device: str,
    threads: int | None,
) -> None:
    """Scores CHECKPOINT on the labelled texts of FILE.

    Prints accuracy and macro-F1 with 95% bootstrap intervals, calibration before and after the temperature (ECE in bins
    of equal width and of equally many answers, NLL, Brier), figures of each label, the confusion matrix and the worst
    mistakes with their rows (the first row of data is 1).

    AURC is the area under the risk-coverage curve; "cover at 1%" the share of answers, the surest ones, that can be
    given with at most 1% of them wrong; "acc. at 90%" the accuracy of the surest 90%. The file that --json writes holds
    the curve.
    """
    from model.classifier import Classifier
    from training.data import read_dataset
    from training.evaluate import evaluate as run_evaluation
    from training.evaluate import worst_mistakes
    from training.report import make_console, print_evaluation, print_mistakes

    _limit_threads(threads)
    classifier = Classifier.load(checkpoint, device=device)
    dataset = read_dataset(file, text_column=text_column, label_column=label_column)
    result = run_evaluation(classifier, dataset)
    console = make_console()
    console.print(f"{checkpoint} (version {classifier.version}) on {file}", markup=False)
    print_evaluation(console, result.evaluation)
    if worst and (mistakes := worst_mistakes(result, dataset, classifier, worst)):
        print_mistakes(console, mistakes)
    if json_file is not None:
        json_file.write_text(result.evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8")


class Listed(click.ParamType[tuple[str, ...]]):
    """Values with commas between them."""

    name = "A,B,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Parts it at the commas."""
        del param, ctx
        return value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(",") if part.strip())


@main.command()
@_data_options
@_recipe_options
@click.option("--only", type=Listed(), default=(), help="These methods only, with commas between them.")
@click.option("--seeds", type=Listed(), default="0,1,2", show_default=True, help="A fit of each network with each.")
@click.option(
    "--budget-s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="For each fit: a network does as many epochs as fit in, at least one.  [default: no limit; fastText 60]",
)
@click.option("--output", type=FILE, required=True, help="The folder to write.")
@click.option("--resume", is_flag=True, help="Go on after the last fit in --output.")
@click.option("--overwrite", is_flag=True, help="Replace the comparison at --output.")
@DEVICE
@THREADS
def compare(
    output: Path,
    only: tuple[str, ...],
    seeds: tuple[str, ...],
    budget_s: float | None,
    resume: bool,
    overwrite: bool,
    device: str,
    threads: int | None,
    **options: Any,
) -> None:
    r"""Sets methods beside each other on the same texts: accuracy, calibration, time, size and speed.

    Baselines: tfidf (logistic regression), nbsvm, fasttext (if its package is installed), average (of embeddings).
    Networks: rnn, lstm (forward only), bilstm, stacked, gru, peephole, layernorm, cnn (in front), attention, ngrams.

    All choosing is done on validation; the test file is read once a fit. OUTPUT gets comparison.json, a table in
    Markdown and plots. Ctrl-C stops; --resume goes on after the last finished fit.

    
    python -m training compare --train reviews.csv --test test.csv --budget-s 300 --output comparison
    """
    from training.compare import compare as run_comparison
    from training.report import make_console
    from training.request import CallOptions, new_request

    _limit_threads(threads)
    numbers = _parse_seeds(seeds)
    request = new_request(CallOptions(output=output, command="compare", **options))
    words = ["--only", ",".join(only)] * bool(only) + ["--seeds", ",".join(map(str, numbers))]
    words += [] if budget_s is None else ["--budget-s", f"{budget_s:g}"]
    run_comparison(
        request.model_copy(update={"command": f"{request.command} {shlex.join(words)}"}),
        output,
        only=only,
        seeds=numbers,
        budget_s=budget_s,
        resume=resume,
        overwrite=overwrite,
        device=device,
        console=make_console(),
    )


def _parse_seeds(seeds: tuple[str, ...]) -> list[int]:
    if not seeds or not all(seed.isascii() and seed.isdigit() for seed in seeds):
        raise UsageError(f"--seeds {','.join(seeds)}: whole numbers with commas between them, for example 0,1,2")
    return list(dict.fromkeys(map(int, seeds)))


@main.command()
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """Lists the recipes, or shows what one of them needs, takes and reaches."""
    from training.config import read_recipe, recipe_header, recipe_names

    if name is None:
        for known in recipe_names():
            click.echo(f"{known:<12} {recipe_header(known).partition(chr(10))[0]}")
        return
    read_recipe(name)
    click.echo(recipe_header(name))


@main.command()
@click.option("--recipe", help="With the settings of this recipe.")
def settings(recipe: str | None) -> None:
    """Lists every setting that --set and a TOML file may change, with its value."""
    from training.config import build_config, flatten, read_recipe

    for key, value in flatten(build_config(read_recipe(recipe) if recipe else {})).items():
        click.echo(f"{key} = {value}")


def _limit_threads(threads: int | None) -> None:
    if threads is not None:
        from model.classifier import set_num_threads

        os.environ["RAYON_NUM_THREADS"] = str(threads)  # the tokenizer's pool, not begun yet
        set_num_threads(threads)


def _tell_result(record: "Record", output: Path) -> None:
    from training.report import make_console, print_evaluation

    console = make_console()
    for role, evaluation in record.evaluations.items():
        console.print(f"\n{role}:")
        print_evaluation(console, evaluation)
    calibration = record.calibration
    console.print(f"\ntraining accuracy {record.training_accuracy:.4f}; temperature {calibration.temperature:.3f}, "
                  f"validation ECE {calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after")  # fmt: skip
    for warning in record.warnings:
        console.print(f"warning: {warning}", markup=False)
    console.print(f"wrote {output}", markup=False)


if __name__ == "__main__":
    main(prog_name=PROGRAM)
