"""A report that is made up, with every part in it."""

import numpy as np

from training.evaluation.evaluate import Evaluation
from training.metrics.decisions import Decisions, Floats, one_hot
from training.metrics.decisions import confidence as confidence_of
from training.metrics.reliability import reliability
from training.metrics.scores import score
from training.reporting.figures import confusions, label_figures
from training.reporting.report import Baseline, Compared, Example, HeldOut, LabelErrors, Report, Speed
from training.reporting.slices import cut

SCRIPT = "<script>alert(1)</script>"


def answers(num_labels: int, rows: int = 200) -> tuple[Floats, Decisions]:
    """Probabilities of single labels, of which some four in five are right, and the truth."""
    rng = np.random.default_rng(0)
    truth = one_hot(rng.integers(num_labels, size=rows), num_labels)
    logits = rng.normal(size=truth.shape) + 4 * truth
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p.astype(np.float32), truth


def made_report(labels: tuple[str, ...] = (SCRIPT, "b", "c")) -> Report:
    """A report whose texts and names are hostile."""
    p, truth = answers(len(labels))
    chosen = one_hot(p.argmax(axis=1), len(labels))
    evaluation = Evaluation(scores=score(p, truth, labels, task="single_label"), truncated=0, tokens=1)
    example = Example(
        row="row 3", text=SCRIPT, given=(labels[0],), answer=("b",), given_probability=0.1, answer_probability=0.9
    )
    part = HeldOut(
        role="validation",
        file=f"{SCRIPT}.csv",
        by_folds=False,
        evaluation=evaluation,
        labels=tuple(label_figures(truth, chosen, labels)),
        confusions=confusions(truth, chosen, labels),
        reliability=reliability(*confidence_of(p, truth, task="single_label")),
        slices=(cut(SCRIPT, SCRIPT, [SCRIPT, "x"] * 100, (chosen == truth).all(axis=1)),),
        worst=(example,),
    )
    beside = {"accuracy": 0.5, "macro_f1": 0.5, "checkpoint_accuracy": 0.6, "checkpoint_macro_f1": 0.6}
    return Report(
        name=SCRIPT,
        version="0123456789ab",
        task="single_label",
        created="2026-11-28T00:00:00+00:00",
        command=SCRIPT,
        serve=SCRIPT,
        num_labels=len(labels),
        trained_on=100,
        warnings=(SCRIPT,),
        history=tuple({"epoch": e, "loss": 1 / e, "validation": e / 10} for e in (1.0, 2.0)),
        metric="macro_f1",
        best_epoch=2.0,
        held_out=(part,),
        baseline=Baseline(
            rows=90,
            of=100,
            choice="C=1",
            seconds=1.0,
            compared=(Compared(role="validation", difference=0.1, interval=(0.01, 0.2), **beside),),
        ),
        label_errors=LabelErrors(judged_by="regression", file=SCRIPT, rows=90, of=100, expected=3, texts=(example,)),
        speed=Speed(
            texts=200,
            texts_per_s=1000.0,
            one_text_ms=0.5,
            device="cpu",
            threads=1,
            machine=SCRIPT,
            size_bytes=10**6,
            num_parameters=10,
        ),
        left_out={},
    )
