"""Data reports as plain text: whole for `inspect`, short for `train`."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tables.errors import Row
from training.data.config import DataConfig, Files
from training.data.dataset import list_some
from training.data.tokenizer import TokenizerConfig
from training.inspection.finding import Example, Finding, Severity, kinds
from training.inspection.report import Report

HEADINGS: dict[Severity, str] = {
    "problem": "problems: mend these before training",
    "look": "worth a look",
    "note": "notes",
}

OPTIONS = {
    "--validation": "validation",
    "--test": "test",
    "--text-column": "text_column",
    "--label-column": "label_column",
    "--weight-column": "weight_column",
    "--sheet": "sheet",
    "--keep-label": "keep_labels",
    "--label-separator": "label_separator",
    "--merge-labels": "merge_labels",
}
"""Options of `inspect`, and the settings of the data that they are."""


def full_text(report: Report) -> str:
    """The overview and every finding, with examples, what `train` does and what a person can do."""
    lines = [*_overview(report)]
    for severity, heading in HEADINGS.items():
        chosen = [found for found in report.findings if found.severity == severity]
        if chosen:
            lines += ["", heading]
        for found in chosen:
            examples = found.examples[:1] if severity == "note" else found.examples
            lines += [f"- {sentence(found)}", *(f"    {_example(example)}" for example in examples)]
            lines.append(f"    train {found.train}; you: {found.remedy}")
    if not report.findings:
        lines += ["", "nothing found"]
    return "\n".join(lines)


def short_text(report: Report, command: str) -> str:
    """The findings of which `train` does not warn in any case, a line each, with what it does; notes are counted.

    Empty if there are none. `command` prints the findings with examples.
    """
    told = [found for found in report.findings if not kinds()[found.kind].warned]
    lines = [
        f"{found.severity}: {sentence(found)}. train {found.train}. You: {found.remedy}"
        for found in told
        if found.severity != "note"
    ]
    notes = [found.kind for found in told if found.severity == "note"]
    if notes:
        lines.append(f"notes: {', '.join(notes)}")
    if lines:
        lines.append(f"examples and notes: {command}")
    return "\n".join(lines)


def inspect_command(data: DataConfig, tokenizer: TokenizerConfig) -> str:
    """The command line of `inspect` that looks at the files of a run as the run does, from the same folder."""
    words = ["python", "-m", "training", "inspect", *_each(data.train)]
    for option, value in OPTIONS.items():
        given = getattr(data, value)
        words += [option] if given is True else [word for one in _each(given or None) for word in (option, one)]
    if tokenizer.max_tokens != TokenizerConfig().max_tokens:
        words += ["--max-tokens", str(tokenizer.max_tokens)]
    return shlex.join(words)


def _each(value: Files | None) -> Sequence[str]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def sentence(found: Finding) -> str:
    """A finding in one sentence, without a full stop."""
    of_file = "" if found.role == "train" else f"{found.role}: "
    share = f" ({_percent(found.share)})" if 0 < found.count < found.total else ""
    numbers = f"{found.count:,} of {found.total:,} {found.unit}{share}"
    if found.count == found.total:
        numbers = f"all {found.total:,} {found.unit}"
    return f"{of_file}{numbers} {found.title}" + (f": {found.detail}" if found.detail else "") + f" [{found.kind}]"


def _overview(report: Report) -> Iterator[str]:
    task = {"single_label": "one label a text", "multi_label": "several labels a text"}[report.task]
    yield f"{report.file}: {report.rows:,} rows, {len(report.labels):,} labels, {task}"
    shown = [f"{one.label} {one.rows:,} ({_percent(one.share)})" for one in report.labels]
    yield f"  labels     {list_some(shown, 12)}"
    lengths = report.lengths
    about = "" if lengths.sampled == report.rows else f" (of {lengths.sampled:,} texts)"
    cut = f"{lengths.truncated:,} of more than {lengths.max_tokens:,}" if lengths.truncated else "none is cut"
    yield f"  tokens     median {lengths.median:,}, 95% up to {lengths.most:,}, most {lengths.longest:,}{about}; {cut}"
    if report.scripts:
        yield f"  scripts    {_shares(report.scripts)}"
    if report.languages:
        yield f"  languages  {_shares(report.languages)} of the longer texts"
    if report.held_out:
        yield "  held out   " + ", ".join(f"{role} {rows:,} rows" for role, rows in report.held_out.items())
    counts = Counter(found.severity for found in report.findings)
    yield f"  findings   {counts['problem']} problems, {counts['look']} worth a look, {counts['note']} notes"


def _shares(parts: dict[str, float]) -> str:
    return list_some([f"{name} {_percent(share)}" for name, share in parts.items()], 6)


def _percent(share: float) -> str:
    """A share in percent; what is not nothing does not look like nothing.

    >>> _percent(0.25), _percent(0.00001)
    ('25.0%', 'under 0.1%')
    """
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _example(example: Example) -> str:
    place = str(Row(example.row, example.line, None if example.file is None else Path(example.file)))
    labels = f" [{', '.join(example.labels)}]" if example.labels else ""
    return f"{place}{labels}" + (f": {example.text}" if example.text else "")
