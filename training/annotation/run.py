"""Labels the texts of files by a chat endpoint: from the rows that are read to the file that is written."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tables.label_names import is_missing
from training.annotation.answers import Judged, Unlabelled
from training.annotation.client import Endpoint
from training.annotation.cost import Prices, estimate, money
from training.annotation.kept import KeptAnswers
from training.annotation.labelling import Labeller, Progress, Usage
from training.annotation.prompt import Prompt
from training.annotation.review import draw_sample, review_path, write_review
from training.annotation.table import Rows, check_names, read_rows, write_labelled
from training.data.column_names import TEXT, written
from training.data.files import check_apart
from training.errors import RunError

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """Files to label, and by whom.

    Attributes:
        files: any that `tables` reads.
        output: the Parquet file to write; the kept answers and the sample stand beside it.
        text_column: of the files; None finds it in each. That of `output` is called as `column_names.written` says.
        endpoint, prompt: whom to ask, and how.
        texts_per_call, concurrency: texts of one request, and requests at a time.
        prices: of the endpoint.
        review: texts of the sample for a person; 0 draws none.
        seed: of that sample.
        max_unlabelled: share of the texts that may stay without a label, 0 to 1.
    """

    files: Sequence[Path]
    output: Path
    text_column: str | None
    endpoint: Endpoint
    prompt: Prompt
    texts_per_call: int
    concurrency: int
    prices: Prices
    review: int
    seed: int
    max_unlabelled: float


def kept_path(output: Path) -> Path:
    """Place of the kept answers that belong to a file of labels.

    >>> kept_path(Path("labels.parquet")).name
    'labels.answers.jsonl'
    """
    return output.with_name(f"{output.stem}.answers.jsonl")


def show_prompt(job: Job, say: Say, *, calls: int = 1) -> None:
    """Says what the first calls would send, and what all of them would cost."""
    texts = _checked(job).distinct
    kept = KeptAnswers(kept_path(job.output), model=job.endpoint.model, prompt=job.prompt)  # is only read
    new = [text for text in texts if kept.get(text) is None]
    groups = (texts[start : start + job.texts_per_call] for start in range(0, len(texts), job.texts_per_call))
    for group in islice(groups, calls):
        for message in job.prompt.messages(group):
            say(f"--- {message['role']}\n{message['content']}")
    say(_before(job, texts, new))


def label_files(job: Job, say: Say) -> None:
    """Asks about each text that has no kept answer, and writes the file.

    Raises:
        TableError: a file cannot be read.
        UsageError: a label is called as a column, or the output is one of the files.
        RunError: the endpoint fails, or too many texts have no label; these are in the file all the same.
        OSError: something cannot be written.
    """
    rows = _checked(job)
    texts = rows.distinct
    with KeptAnswers(kept_path(job.output), model=job.endpoint.model, prompt=job.prompt) as kept:
        new = [text for text in texts if kept.get(text) is None]
        say(_before(job, texts, new))
        labeller = Labeller(
            job.endpoint, job.prompt, kept, job.texts_per_call, job.concurrency, say=say, report=Tenths(say)
        )
        try:
            causes = labeller.label(new) if new else {}
        except BaseException:
            say(
                f"{sum(kept.get(text) is not None for text in texts):,} of {len(texts):,} texts have an answer that is "
                f"kept in {kept_path(job.output)}; the same command goes on"
            )
            raise
        finally:
            if new:
                say(_after(job, labeller.usage))
        write_labelled(
            job.output,
            rows,
            text_column=written(job.text_column, TEXT),
            labels=job.prompt.labels.names,
            judged=kept.get,
            causes=causes,
        )
        labels = {text: judged.label for text in texts if (judged := kept.get(text))}
        found = [judged for text in labels if (judged := kept.get(text))]
    _tell_labels(job, found, say)
    if job.review and labels:
        _draw_review(job, labels, say)
    _tell_rows(job, rows, labels, causes, say)


def _checked(job: Job) -> Rows:
    check_apart(job.output, job.files)
    check_names(job.prompt.labels.names, text_column=written(job.text_column, TEXT))
    return read_rows(job.files, text_column=job.text_column)


def _before(job: Job, texts: Sequence[str], new: Sequence[str]) -> str:
    """The line about what is to come."""
    expected = estimate(job.prompt, new, texts_per_call=job.texts_per_call)
    known = f", {len(texts) - len(new):,} of them answered before" if len(new) < len(texts) else ""
    cut = sum(len(text) > job.prompt.max_characters for text in new)
    return (
        f"{len(texts):,} distinct texts{known}{f', {cut:,} cut' if cut else ''}: {expected.calls:,} calls, about "
        f"{expected.tokens_in:,} tokens in and at most {expected.tokens_out:,} out"
        f"{money(job.prices, expected.tokens_in, expected.tokens_out)}"
    )


def _after(job: Job, usage: Usage) -> str:
    """The line about what it took."""
    counted = f"{usage.tokens_in:,} tokens in and {usage.tokens_out:,} out as the endpoint counted"
    if not usage.counted:
        counted += " in some of the answers" if usage.tokens_in else "; it counts none"
    requests = f"{usage.requests:,} request{'s' * (usage.requests != 1)}"
    return f"{requests}, {counted}{money(job.prices, usage.tokens_in, usage.tokens_out)}"


def _tell_labels(job: Job, found: Sequence[Judged], say: Say) -> None:
    """Says how often each label was given, and with what."""
    counts = Counter(judged.label for judged in found)
    say(", ".join(f"{label} {count:,}" for label, count in counts.most_common()) or "no text has a label")
    names = job.prompt.labels.names
    soft = [judged for judged in found if judged.log_probabilities]
    if soft:
        say("with log-probabilities, one column a label: for train and distill")
    elif found:
        say("without log-probabilities, which the endpoint did not give: for train, not for distill")
    odd = sum(max(judged.log_probabilities or ()) > _own(judged, names) for judged in soft)
    if odd:
        say(f"in {odd:,} texts another label is more probable than the answer; see the prompt and --review")
    if unreadable := [label for label in names if is_missing(label)]:
        say(f"train takes the label '{unreadable[0]}' for a missing one unless --keep-label '{unreadable[0]}' is given")


def _own(judged: Judged, names: Sequence[str]) -> float:
    """Log-probability of the label that was answered."""
    return (judged.log_probabilities or ())[names.index(judged.label)]


def _tell_rows(job: Job, rows: Rows, labels: Mapping[str, str], causes: Mapping[str, Unlabelled], say: Say) -> None:
    """Says what is in the file, and fails if too many texts have no label."""
    empty = sum(not text for text in rows.texts)
    kinds = Counter(unlabelled.cause.partition(":")[0] for unlabelled in causes.values())
    why = "; ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    total = len(labels) + len(causes)
    say(
        f"wrote {len(rows.texts):,} rows to {job.output}: {len(labels):,} of {total:,} distinct texts have a label"
        + (f", {len(causes):,} have none ({why}; column label_error)" if causes else "")
        + (f", {empty:,} rows have no text" if empty else "")
    )
    if len(causes) > job.max_unlabelled * total:
        raise RunError(
            f"{len(causes) / total:.1%} of the texts have no label, more than --max-unlabelled "
            f"{job.max_unlabelled:.1%}; the same command asks about them again"
        )


def _draw_review(job: Job, labels: Mapping[str, str], say: Say) -> None:
    path = review_path(job.output)
    texts = draw_sample(labels, job.review, seed=job.seed)
    if write_review(path, texts):
        say(f"wrote {len(texts):,} texts to {path}: fill in its column label, then ask for the agreement")
    else:
        say(f"{path} has labels of a person already, and stays as it is")


class Tenths:
    """Says how far it is at each tenth of the texts."""

    def __init__(self, say: Say) -> None:
        self._say, self._told = say, 0

    def __call__(self, progress: Progress) -> None:
        """Takes the progress of labelling."""
        reached = 10 * progress.done // progress.total
        if reached > self._told:
            self._told = reached
            self._say(f"asked about {progress.done:,} of {progress.total:,} texts, {progress.texts_per_s:,.1f} texts/s")
