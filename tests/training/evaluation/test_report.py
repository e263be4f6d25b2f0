import io
from pathlib import Path

import numpy as np
from rich.console import Console

from tables.errors import Row
from training.evaluation.evaluate import Evaluation, Mistake
from training.evaluation.neighbours import Neighbour
from training.evaluation.report import print_evaluation, print_mistakes, print_neighbours, shorten
from training.metrics.decisions import one_hot
from training.metrics.scores import Uncalibrated, score


def evaluation(labels: tuple[str, ...] = ("no", "[red]yes")) -> Evaluation:
    p_NC = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    scores = score(p_NC, one_hot(np.array([0, 1, 1, 1]), 2), labels, task="single_label")
    return Evaluation(scores=scores, truncated=1, tokens=1234)


def printed(show: object, *args: object) -> str:
    file = io.StringIO()
    show(Console(file=file, width=120), *args)  # type: ignore[operator]
    return file.getvalue()


def test_all_figures_are_printed() -> None:
    text = printed(print_evaluation, evaluation())
    lines = [line.split() for line in text.splitlines()]
    assert ["accuracy", "0.7500", "[95%", "0.3006", "to", "0.9544]"] in lines
    assert ["Brier", "0.3500"] in lines
    assert ["cover", "at", "2%", "0.5000"] in lines
    assert ["acc.", "at", "90%", "0.7500"] in lines
    assert ["truncated", "1"] in lines
    assert "| [red]yes |    1.0000 | 0.6667 | 0.8000 |       3 |" in text
    assert "| [red]yes         |  1 |        2 |" in text


def test_a_label_that_no_text_has_has_no_recall() -> None:
    p_NC = np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2]])
    scores = score(p_NC, one_hot(np.array([0, 1]), 3), ("a", "b", "c"), task="single_label")
    text = printed(print_evaluation, Evaluation(scores=scores, truncated=0, tokens=4))
    assert "| c     |    0.0000 |      - |      - |       0 |" in text


def test_of_many_labels_the_worst_and_the_best_are_printed() -> None:
    truth = one_hot(np.arange(60).repeat(2), 60)
    p_NC = np.where(truth, 0.9, 0.1 / 59)
    p_NC[1:60:4] = np.roll(p_NC[1:60:4], 1, axis=1)  # one text of every other of the first thirty labels is wrong
    scores = score(p_NC, truth, tuple(f"label-{place}" for place in range(60)), task="single_label")
    text = printed(print_evaluation, Evaluation(scores=scores, truncated=0, tokens=4))
    rows = [line.split("|")[1:] for line in text.splitlines() if "| label-" in line]
    figures = [float(row[3]) for row in rows]
    assert len(rows) == 20
    assert figures == sorted(figures)
    assert (figures[0] < 0.9, figures[-1]) == (True, 1.0)
    assert "the other 40 are in" in " ".join(text.split())


def test_figures_before_the_temperature_are_told_and_old_files_without_them_still_print() -> None:
    before = Uncalibrated(ece=0.5, ece_equal_mass=0.4, nll=0.3, brier=0.2, aurc=0.1, macro_f1=0.1)
    now = evaluation().model_copy(update={"uncalibrated": before})
    text = printed(print_evaluation, now)
    assert "Brier        0.3500 (0.2000 before temperature)" in text
    assert f"(0.5000 before temperature, {now.scores.ece_by_chance:.4f} by chance)" in text
    since = {"ece_equal_mass", "ece_by_chance", "abstention"}
    fields = now.model_dump(mode="json", exclude={"uncalibrated": True, "scores": since})
    text = printed(print_evaluation, Evaluation.model_validate(fields))
    assert "Brier        0.3500\n" in text
    assert "AURC" not in text


def test_multi_label_has_no_confusion() -> None:
    p_NC, truth_NC = np.array([[0.9, 0.9], [0.1, 0.8]]), np.array([[True, True], [True, True]])
    scores = score(p_NC, truth_NC, ("a", "b"), task="multi_label")
    text = printed(print_evaluation, Evaluation(scores=scores, truncated=0, tokens=4))
    assert "micro-F1     0.8571" in text
    assert "(whole set)" in text
    assert "predicted" not in text


def test_texts_are_shown_as_they_are_but_short() -> None:
    mistake = Mistake(row=Row(1204, 1205), loss=3.21, predicted=("no",), truth=(), text="[bold]so\nlong " + "x " * 500)
    text = printed(print_mistakes, [mistake])
    assert "1204" in text
    assert "(none)" in text
    assert "[bold]so long x x" in text
    assert text.count("x") < 200


def test_neighbours_stand_beside_the_row_that_they_are_near_to() -> None:
    mistakes = [Mistake(Row(row), 1.0, ("no",), ("yes",), "text") for row in (4, 9)]
    near = Neighbour(0.98765, Row(1203, line=1204), ("[red]yes",), "[bold]like\nit")
    far = Neighbour(-0.5, Row(7), (), "other")
    lines = printed(print_neighbours, Path("[b]train.csv"), mistakes, [[near, far], [far]]).splitlines()
    assert lines[0].strip() == "Nearest training texts, of [b]train.csv"
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if " | " in line][1:]
    assert cells == [
        ["4", "0.988", "[red]yes", "[bold]like it", "row 1203 (line 1204)"],
        ["4", "-0.500", "(none)", "other", "row 7"],
        ["9", "-0.500", "(none)", "other", "row 7"],
    ]


def test_shorten() -> None:
    assert shorten("x" * 10, limit=10) == "x" * 10
    assert shorten("x" * 11, limit=10) == "x" * 9 + "…"
