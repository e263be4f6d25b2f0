"""The data report: an overview of each file, and the findings of all checks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import TypeAdapter
from tokenizers import Tokenizer

from model.config import Frozen, Task
from training.data.config import DataConfig
from training.data.corpus import Corpus
from training.data.dataset import Dataset
from training.data.tokenizer import TokenizerConfig
from training.inspection.characters import check_characters
from training.inspection.duplicates import check_duplicates, check_leaks
from training.inspection.finding import Finding, in_order
from training.inspection.giveaways import check_giveaways
from training.inspection.labels import check_fit, check_labels
from training.inspection.languages import measure_languages, measure_scripts
from training.inspection.lengths import Lengths, measure_lengths
from training.inspection.material import Check, Material
from training.inspection.passages import check_names_in_texts, check_passages
from training.inspection.personal import check_personal
from training.inspection.rows import check_contents, check_left_out

CHECKS: tuple[Check, ...] = (
    *(check_left_out, check_labels, check_fit, check_contents, check_characters, check_duplicates, check_leaks),
    *(check_giveaways, check_names_in_texts, check_passages, check_personal),
)


class LabelCount(Frozen):
    """Number of rows with a label, and their share of all rows."""

    label: str
    rows: int
    share: float


class Report(Frozen):
    """Overview and findings of a training file before anything is trained; `--json` writes a list of these.

    Attributes:
        file: its path.
        task: one label a text, or a set of labels.
        rows: with a text and a label.
        labels: by number of rows, the most first.
        lengths: of the texts in tokens.
        scripts: shares of the texts, by the script of most of their letters; texts without letters do not count.
        languages: shares of a sample of texts that are long enough, by code of ISO 639-1; empty if not looked for.
        held_out: rows of the other files by role.
        findings: by severity.
    """

    file: str
    task: Task
    rows: int
    labels: tuple[LabelCount, ...]
    lengths: Lengths
    scripts: dict[str, float]
    languages: dict[str, float]
    held_out: dict[str, int]
    findings: tuple[Finding, ...]


def inspect(
    train: Dataset,
    held_out: Mapping[str, Dataset],
    *,
    tokenizer: TokenizerConfig,
    given: Tokenizer | None = None,
    languages: bool = False,
    masked: bool = False,
) -> Report:
    """Inspects a training file, and the held-out files against it.

    Args:
        train: its rows.
        held_out: the rows of the other files by role.
        tokenizer, given, languages, masked: see `Material`.
    """
    material = Material("train", train, held_out, tokenizer, given, languages, masked)
    lengths, long = measure_lengths(material)
    scripts, odd_scripts = measure_scripts(material)
    found_languages, odd_languages = measure_languages(material)
    findings = [*long, *odd_scripts, *odd_languages]
    for check in CHECKS:
        findings += check(material)
    counts = train.counts().most_common()
    return Report(
        file=str(train.path),
        task=train.task,
        rows=len(train),
        labels=tuple(LabelCount(label=name, rows=rows, share=rows / len(train)) for name, rows in counts),
        lengths=lengths,
        scripts=scripts,
        languages=found_languages,
        held_out={role: len(dataset) for role, dataset in held_out.items()},
        findings=tuple(in_order(findings)),
    )


def inspect_corpus(corpus: Corpus, data: DataConfig, tokenizer: TokenizerConfig) -> Report:
    """Inspects the data of a run; rows that were held back for validation count as rows of the training file."""
    train, held_out = corpus.train, dict(corpus.held_out)
    if data.validation is None:
        validation = held_out.pop("validation")
        train = train if corpus.fold_N is not None else _joined(train, validation)
    report = inspect(train, held_out, tokenizer=tokenizer, masked=data.mask_personal)
    if corpus.continued is None:
        return report
    # Beside the labels of the checkpoint one label is enough, and a test file may have theirs.
    findings = tuple(found for found in report.findings if found.kind not in ("single_class", "unknown_label"))
    return report.model_copy(update={"findings": findings})


def _joined(part: Dataset, other: Dataset) -> Dataset:
    """The rows of two parts of a file, in the order of the file."""
    rows = [*part.rows, *other.rows]
    whole = replace(
        part,
        texts=[*part.texts, *other.texts],
        labels=[*part.labels, *other.labels],
        rows=rows,
        choices=None,
        shares=None,
        weights=None,
    )
    return whole.take(sorted(range(len(rows)), key=lambda place: (str(rows[place].path), rows[place].number)))


def as_json(reports: Sequence[Report]) -> bytes:
    """The reports as a list of JSON objects whose fields are those of `Report`."""
    return TypeAdapter(tuple[Report, ...]).dump_json(tuple(reports), indent=2) + b"\n"
