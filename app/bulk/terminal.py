"""Scoring of files for a person at a terminal: lines of progress and the account at the end, on standard error."""

import sys
from collections.abc import Mapping
from pathlib import Path

from app.bulk.run import Call, Outcome, predict
from model.classifier import Classifier
from tables.reading import count

SHOWN_LABELS = 8
"""Labels whose share the account names."""


def predict_files(checkpoint: Path, call: Call, *, device: str, dtype: str, threads: int) -> None:
    """Scores files and tells what happened.

    Args:
        checkpoint: the folder.
        call: what to read and to write.
        device, dtype: as `model.classifier.Classifier.load` takes them.
        threads: that score at a time.

    Raises:
        ModelError: the checkpoint cannot be used.
        TableError, BulkError: as `app.bulk.run.predict` raises them.
    """
    classifier = Classifier.load(checkpoint, device=device, dtype=dtype, threads=1)
    try:
        outcome = predict(classifier, call, threads=threads, say=_say)
    except KeyboardInterrupt:
        command = "the same command without --overwrite" if call.overwrite else "the same command"
        _say(f"stopped; {command} goes on with {call.output}")
        raise SystemExit(1) from None
    for line in _account(outcome, classifier.max_tokens, call.output):
        _say(line)


def _account(outcome: Outcome, max_tokens: int, output: str) -> list[str]:
    counts, lines = outcome.counts, [reading.describe() for reading in outcome.readings]
    if counts.cut:
        lines.append(f"{count(counts.cut, 'text')} longer than {max_tokens} tokens, cut there")
    shares = [f"{name} {number / max(1, counts.rows):.1%}" for name, number in _most(counts.labels)]
    lines.append(f"wrote {count(counts.rows, 'row')} to {output}: {', '.join(shares)}")
    if outcome.bad is not None:
        lines.append(f"warning: {count(counts.bad, 'row')} without a label, with the cause in {outcome.bad}")
    return [*lines, outcome.cost]


def _most(labels: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(labels.items(), key=lambda item: -item[1])[:SHOWN_LABELS]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
