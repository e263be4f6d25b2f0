"""`python -m training label`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DEVICE, FILE, SHARD, TEXTS_IN, limit_threads
from training.cli.sections import SectionedCommand
from training.errors import UsageError

ENDPOINT = "Options of a chat endpoint"
TEACHER = "Options of a teacher"

PRICE = click.FloatRange(min=0)

ENDPOINT_OPTIONS = (
    click.option("--endpoint", metavar="URL", help="Base address, for example http://localhost:8000/v1."),
    click.option("--model", metavar="NAME", help="The model's name at the endpoint."),
    click.option(
        "--labels",
        metavar="A,B,…",
        help='The labels to choose from; or a TOML file with a line label = "description" for each.',
    ),
    click.option(
        "--prompt",
        "prompt_file",
        type=FILE,
        help="A system message in place of the default one: {labels} stands for the list of labels.",
    ),
    click.option("--show-prompt", is_flag=True, help="Print what the first call would send and what all would cost."),
    click.option(
        "--texts-per-call", type=click.IntRange(1, 100), default=1, show_default=True, help="Texts of one request."
    ),
    click.option(
        "--concurrency", type=click.IntRange(1, 1000), default=8, show_default=True, help="Requests at a time."
    ),
    click.option(
        "--max-characters",
        type=click.IntRange(min=1),
        default=10_000,
        show_default=True,
        help="Send only the start of a longer text.",
    ),
    click.option(
        "--timeout-s", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Of one request."
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        help="Further attempts at 429, 5xx, a timeout or a broken connection, each after twice the wait.",
    ),
    click.option(
        "--key-variable",
        default="SLUICE_ENDPOINT_KEY",
        show_default=True,
        metavar="NAME",
        help="Environment variable with the key of the endpoint, if it wants one.",
    ),
    click.option("--price-in", type=PRICE, help="Price of a million tokens in, for the lines about cost."),
    click.option("--price-out", type=PRICE, help="Price of a million tokens out."),
    click.option(
        "--review",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Write N texts to OUTPUT.review.csv for a person to label; `agreement` compares.",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of that sample."),
    click.option(
        "--max-unlabelled",
        type=click.FloatRange(0, 1),
        default=0.05,
        show_default=True,
        help="Share of texts that may stay without a label; more are exit code 1.",
    ),
)

TEACHER_OPTIONS = (
    click.option("--teacher", type=FILE, help="A folder that teach or transformers wrote, or a checkpoint."),
    click.option("--cache", type=FILE, help="Folder that keeps the logits as they come; distill reads it."),
    SHARD,
    click.option("--max-tokens", type=click.IntRange(min=3), default=128, show_default=True, help="Cut longer texts."),
    DEVICE,
    click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: as PyTorch chooses]"),
)

SECTIONS = {
    ENDPOINT: (
        *("endpoint", "model", "labels", "prompt_file", "show_prompt", "texts_per_call", "concurrency"),
        *("max_characters", "timeout_s", "retries", "key_variable", "price_in", "price_out", "review", "seed"),
        "max_unlabelled",
    ),
    TEACHER: ("teacher", "cache", "shard", "max_tokens", "device", "threads"),
}


def _with_options(command: Any) -> Any:
    for option in reversed((*ENDPOINT_OPTIONS, *TEACHER_OPTIONS)):
        command = option(command)
    return command


@click.command(cls=SectionedCommand, sections=SECTIONS)
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@TEXTS_IN
@_with_options
@click.pass_context
def label(ctx: click.Context, /, **options: Any) -> None:
    """Asks a language model or a teacher for labels of texts.

    With --endpoint a language model behind a chat endpoint in OpenAI's form (vLLM, Ollama, llama.cpp, a cloud) chooses
    a label for each text. The output has the rows of FILES with the columns label and label_error, and one column of
    log-probabilities a label where the endpoint gives them: `train` reads it, and with these columns `distill
    --teacher`. Equal texts are asked about once. OUTPUT.answers.jsonl keeps each answer as it comes: after a break the
    same command goes on.

    With --teacher a transformer or checkpoint gives its logits. The output has each text once and one column a label,
    for `distill --teacher`, which takes several such files. A text that the cache knows is not labelled again; an
    interrupted run goes on where it was.

    \b
    python -m training label tickets.csv --endpoint http://localhost:8000/v1 --model qwen3 \\
        --labels billing,login,other --output labels.parquet
    python -m training label sentences.parquet --teacher teacher --cache logits --output labels.parquet
    """
    command = ctx.command
    assert isinstance(command, SectionedCommand)  # noqa: S101 - our own decorator made it
    heading, other, needed = (
        (TEACHER, ENDPOINT, ("cache",)) if options["teacher"] else (ENDPOINT, TEACHER, ("model", "labels"))
    )
    source = "--teacher" if heading == TEACHER else "--endpoint"
    if not options["teacher"] and not options["endpoint"]:
        raise UsageError("name --endpoint URL or --teacher DIR to say who labels the texts")
    if strange := command.given(ctx, other):
        raise UsageError(f"{strange[0]} does not go with {source}")
    if missing := [name for name in needed if not options[name]]:
        raise UsageError(f"{source} needs --{missing[0]}")
    (_from_teacher if heading == TEACHER else _from_endpoint)(**options)


def _from_teacher(
    files: tuple[Path, ...],
    teacher: Path,
    output: Path,
    cache: Path,
    text_column: str | None,
    shard: tuple[int, int],
    max_tokens: int,
    device: str,
    threads: int | None,
    **_: Any,
) -> None:
    from model.device import resolve_device
    from training.evaluation.report import make_console
    from training.teachers.labelling import LabellingLines, write_labels
    from training.teachers.teacher import load_teacher

    limit_threads(threads)
    console = make_console()
    asked = load_teacher(teacher, max_tokens=max_tokens, device=resolve_device(device))
    written = write_labels(
        asked, files, output, cache=cache, text_column=text_column, shard=shard, report=LabellingLines(console)
    )
    console.print(f"wrote the logits of {written:,} texts to {output}", markup=False)


def _from_endpoint(
    files: tuple[Path, ...],
    output: Path,
    text_column: str | None,
    endpoint: str,
    model: str,
    labels: str,
    prompt_file: Path | None,
    show_prompt: bool,
    max_characters: int,
    timeout_s: float,
    retries: int,
    key_variable: str,
    price_in: float | None,
    price_out: float | None,
    **options: Any,
) -> None:
    from training.annotation import run
    from training.annotation.client import Endpoint, chat_url, key_from
    from training.annotation.cost import Prices
    from training.annotation.prompt import make_prompt, parse_labels

    chosen = ("texts_per_call", "concurrency", "review", "seed", "max_unlabelled")
    job = run.Job(
        files,
        output,
        text_column,
        Endpoint(chat_url(endpoint), model, key_from(key_variable), timeout_s=timeout_s, retries=retries),
        make_prompt(parse_labels(labels), file=prompt_file, max_characters=max_characters),
        prices=Prices(price_in, price_out),
        **{name: options[name] for name in chosen},
    )
    if show_prompt:
        run.show_prompt(job, click.echo)
    else:
        run.label_files(job, click.echo)
