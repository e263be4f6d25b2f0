"""`python -m training pretrain`."""

from typing import Any

import click

from training.cli.options import FILE, TEXTS_IN, run_options
from training.cli.runs import carry_out


@click.command()
@click.argument("texts", type=FILE, nargs=-1, metavar="TEXT...")
@click.option("--without", type=FILE, multiple=True, help="A file none of whose texts is learned from. Repeatable.")
@click.option(
    "--vocabulary", type=FILE, multiple=True, help="Texts that only take part in making the tokenizer. Repeatable."
)
@click.option(
    "--tokenizer", type=FILE, help="A tokenizer.json, or a folder that has one, to use. Without it one is made of TEXT."
)
@click.option(
    "--vectors",
    type=FILE,
    multiple=True,
    help="Sentence vectors of texts in TEXT, which the command vectors wrote; they are imitated. Repeatable.",
)
@TEXTS_IN
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One setting, for example loop.epochs=5. Repeatable; `settings --pretrain` lists them.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.  [default: 0]")
@run_options
def pretrain(**options: Any) -> None:
    """Trains the embedding and the LSTM as language models on raw texts, for train --start.

    TEXT are files as train takes them, of which only the column of the texts is read. A forward and a backward model
    learn at once, over the layers that the classifier will use. A bidirectional network can have one layer here: in
    further ones each direction would see the token that it is to predict. With --vectors the layers learn at the same
    time to imitate an encoder's sentence vectors of the texts that have one. Leave the texts that you will test on
    out, with --without.

    Ctrl-C (or SIGTERM) stops after the current step and leaves a state in OUTPUT.run; the command to go on is printed.

    \b
    python -m training pretrain train.csv more.jsonl --without test.csv --output runs/language
    python -m training train --start runs/language --train train.csv --test test.csv --output runs/classifier
    """
    from training.config.pretrain_request import PretrainOptions, PretrainRequest
    from training.evaluation.report import make_console
    from training.runs.pretrain import pretrain as run_pretraining

    record, call = carry_out(run_pretraining, PretrainOptions, PretrainRequest, options)
    perplexity = record.perplexity
    cosines = "".join(f"; cosine to {each.encoder} {each.cosine:.3f}" for each in record.imitated)
    make_console().print(
        f"validation perplexity {perplexity.before:,.1f} before, {perplexity.after:,.2f} after{cosines}; "
        f"wrote {call.output}",
        markup=False,
        highlight=False,
    )
