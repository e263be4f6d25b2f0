import io

from rich.console import Console

from training.fit.progress import LINE_EVERY_S, show_progress
from training.fit.steps import Progress

STEP = Progress(
    step=50,
    total_steps=1200,
    epoch=0.42,
    loss=0.51234,
    tokens_per_s=65_432.1,
    seconds_left=125,
)
READING = {"step": 50.0, "epoch": 0.5, "loss": 0.5, "validation": 0.8123, "learning_rate": 1e-3, "seconds": 9.0}


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=120), file


def test_plain_lines_come_in_their_time_with_rate_and_time_left() -> None:
    screen, file = console()
    now = [100.0]
    with show_progress(screen, metric="accuracy", clock=lambda: now[0]) as show:
        for seconds in (1.0, LINE_EVERY_S - 1.5, 1.0, 1.0):
            now[0] += seconds
            show(STEP, [])
    assert file.getvalue() == "epoch 0.42  step 50/1,200  loss 0.5123  65,432 tokens/s  2:05 left\n"


def test_each_reading_is_told_once_and_old_ones_not_at_all() -> None:
    screen, file = console()
    with show_progress(screen, metric="macro_f1", num_readings=1) as show:
        show(STEP, [READING])
        show(STEP, [READING, READING | {"validation": 0.9}])
        show(STEP, [READING, READING | {"validation": 0.9}])
    assert file.getvalue() == "epoch 0.50  step 50  training loss 0.5000  validation macro_f1 0.9000\n"


def test_one_of_several_trainings_has_its_title_in_each_line_and_tells_no_readings() -> None:
    screen, file = console()
    now = [0.0]
    with show_progress(screen, metric="accuracy", title="fold 2 of 5", clock=lambda: now[0]) as show:
        show(STEP, [READING])
        now[0] += LINE_EVERY_S
        show(STEP, [READING])
    assert file.getvalue() == "fold 2 of 5  epoch 0.42  step 50/1,200  loss 0.5123  65,432 tokens/s  2:05 left\n"


def test_a_terminal_gets_a_live_line() -> None:
    screen, file = console(terminal=True)
    with show_progress(screen, metric="accuracy") as show:
        show(STEP, [READING])
    assert "65,432 tokens/s" in file.getvalue()
    assert "validation accuracy 0.8123" in file.getvalue()
