"""The model card: a checkpoint's `README.md`, written from its record so that the two cannot disagree."""

from model.checkpoint import METRICS
from training.artifacts.record import Calibration, Record
from training.evaluation.report import summary
from training.fit.progress import format_duration

KINDS = {"single_label": "exactly one of", "multi_label": "any number of"}


def write_card(record: Record) -> str:
    """Markdown: what the model does, how well, on what data, its limits, and how to make it again."""
    sections = [
        f"# {record.name}",
        _introduction(record),
        "## Scores",
        *_scores(record),
        "## Data",
        _data(record),
        *_teachers(record),
        *_start(record),
        "## Limits",
        _limits(record),
        "## How it was made",
        _making(record),
    ]
    return "\n\n".join(sections) + "\n"


def _introduction(record: Record) -> str:
    scores = record.evaluations["validation"].scores
    labels = ", ".join(f"`{label.label}`" for label in scores.labels)
    return (
        f"Gives a text {KINDS[record.task]} {len(scores.labels)} labels: {labels}.\n"
        f"An embedding of {record.vocab_size:,} tokens and an LSTM, {record.num_parameters:,} parameters in all; "
        "trained and served by Sluice."
    )


def _scores(record: Record) -> list[str]:
    roles = [role for role in ("validation", "test") if role in record.evaluations]
    columns = [dict(summary(record.evaluations[role])) for role in roles]
    table = [f"| | {' | '.join(roles)} |", "| --- |" + " --- |" * len(roles)]
    table += [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]
    calibration = record.calibration
    tested = len(record.evaluations) > 1
    reading = (
        "Intervals are 95% bootstrap intervals over the texts. `majority` is the accuracy of always giving the "
        "commonest answer.\n`cover at 1%` is the share of answers, the surest ones, that can be given with at most 1% "
        "of them wrong; `acc. at 90%` the accuracy of the surest 90%; `AURC` the area under the risk-coverage curve.\n"
        f"Validation chose the weights (by `{record.config['metric']}`) and the temperature, so its "
        f"figures are flattered; {'test was read once, at the end' if tested else 'no test set was given'}."
    )
    tempered = (
        f"Temperature {calibration.temperature:.3f}, fitted on {_fitted_on(calibration)}: "
        f"ECE {calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after; "
        f"NLL {calibration.nll_before:.4f} before, {calibration.nll_after:.4f} after."
    )
    if calibration.macro_f1_before is not None:
        tempered += (
            "\nThe probability from which a label is given was fitted for each on the same texts, to maximise its F1: "
            f"validation macro-F1 {calibration.macro_f1_before:.4f} with 1/2 for all, "
            f"{calibration.macro_f1_after:.4f} with these."
        )
    return ["\n".join(table), reading, *_further_tests(record), tempered, _labels(record, roles[-1])]


def _further_tests(record: Record) -> list[str]:
    """A table with a row for each test set that has a name of its own."""
    table = ["| test set | texts | accuracy | macro-F1 | ECE |", "| --- | --- | --- | --- | --- |"]
    for role, evaluation in record.evaluations.items():
        if role not in ("validation", "test"):
            figures = dict(summary(evaluation))
            row = [_cell(role), *(figures[name] for name in ("rows", "accuracy", "macro-F1", "ECE"))]
            table.append(f"| {' | '.join(row)} |")
    return ["\n".join(table)] if len(table) > 2 else []


def _fitted_on(calibration: Calibration) -> str:
    if calibration.rows is None:
        return "validation"
    part = "which had no part" if calibration.apart else "too few to part them: the same took part"
    return f"{calibration.rows:,} validation texts, {part} in choosing the weights"


def _labels(record: Record, role: str) -> str:
    table = [f"| label ({role}) | precision | recall | F1 | texts |", "| --- | --- | --- | --- | --- |"]
    for label in record.evaluations[role].scores.labels:
        figures = f"{label.precision:.4f} | {label.recall:.4f} | {label.f1:.4f} | {label.support:,}"
        table.append(f"| {_cell(label.label)} | {figures} |")
    return "\n".join(table)


def _data(record: Record) -> str:
    table = ["| role | file | texts | SHA-256 |", "| --- | --- | --- | --- |"]
    table += [f"| {role} | {_cell(f.file)} | {f.rows:,} | `{f.sha256}` |" for role, f in record.data.items()]
    notes = [f"Source: {record.source}."] * bool(record.source)
    notes.append(f"Licence of the data: {record.licence or 'not recorded'}. Check that it allows your use.")
    return "\n".join(table) + "\n\n" + "\n".join(notes)


def _teachers(record: Record) -> list[str]:
    if not record.teachers:
        return []
    roles = list(record.teachers[0].scores)
    metric = record.config["metric"]
    table = [f"| {' | '.join(['teacher', *(f'{role} {metric}' for role in roles), 'SHA-256'])} |"]
    table.append("|" + " --- |" * (len(roles) + 2))
    for teacher in record.teachers:
        scores = [f"{teacher.scores[role]:.4f}" for role in roles]
        table.append(f"| {' | '.join([_cell(teacher.name), *scores, f'`{teacher.digest}`'])} |")
    if record.config["distill.hard_share"] == 1:
        taught = "Labels taught it the texts that have one; of the others it was trained to say what its teachers say."
    else:
        taught = "It was trained to give the logits that its teachers give."
    return ["## Teachers", taught, "\n".join(table)]


def _start(record: Record) -> list[str]:
    if (start := record.start) is None:
        return []
    table = ["| role | file | texts | SHA-256 |", "| --- | --- | --- | --- |"]
    table += [f"| {role} | {_cell(f.file)} | {f.rows:,} | `{f.sha256}` |" for role, f in start.data.items()]
    introduction = (
        f"Embedding and LSTM began as language models ({_cell(start.name)}, version `{start.version}`, perplexity "
        f"{start.perplexity:.2f}) of raw texts; `without` are files whose texts were kept from them."
    )
    return ["## Pre-training", introduction, "\n".join(table), f"```sh\n{start.command}\n```"]


def _limits(record: Record) -> str:
    limits = [
        f"Texts are cut to their first {record.config['tokenizer.max_tokens']:,} tokens; the answer says when.",
        "The scores hold for texts like those above; on others measure first: `python -m training evaluate`.",
        "Every text gets an answer, also in a language that the model has never seen; an empty one gets the prior.",
    ]
    return "\n".join(f"- {limit}" for limit in [*limits, *(f"Found in this run: {w}." for w in record.warnings)])


def _making(record: Record) -> str:
    effort, code = record.effort, record.code
    libraries = ", ".join(f"{name} {version}" for name, version in record.libraries.items())
    return (
        f"```sh\n{record.command}\n```\n\n"
        f"{record.created}, seed {record.seed}, {effort.steps:,} steps ({effort.epochs:.2f} epochs, best at "
        f"{effort.best_epoch:.2f}) in {format_duration(effort.seconds)} on {effort.device} "
        f"({effort.machine}; threads: {effort.threads}), "
        f"{effort.tokens_per_s:,.0f} tokens/s.\n"
        f"Sluice {code['version'] or 'unknown'}{f' ({commit})' if (commit := code['commit']) else ''}; {libraries}.\n"
        f"`{METRICS}` holds every setting and every figure."
    )


def _cell(text: str) -> str:
    r"""Text that cannot break a Markdown table.

    >>> print(_cell("a|b"))
    a\|b
    """
    return " ".join(text.split()).replace("|", "\\|")
