"""The log of a run as event files of TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog:
    """Writes curves, settings as a text, and at the end settings and scores for the tab of hyperparameters.

    Args:
        folder: of all runs; this one gets its own in it.
        run_name: that of its folder. A run of the same name replaces the curves of an earlier one.
    """

    def __init__(self, folder: str, run_name: str) -> None:
        self._folder = Path(folder) / run_name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._settings: Mapping[str, object] = {}

    def begin(self, settings: Mapping[str, object]) -> None:
        """Opens a file that hides all points of the files before it."""
        self._settings, self._last = settings, 0
        self._writer = SummaryWriter(str(self._folder), purge_step=0)
        rows = "\n".join(f"| {key} | {value} |" for key, value in settings.items())
        self._writer.add_text("settings", f"| setting | value |\n| --- | --- |\n{rows}", 0)
        self._writer.flush()

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds a point to each curve; they can be seen at once."""
        self._last = step
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def end(self, figures: Mapping[str, float] | None) -> None:
        """Writes the scores, if there are any, and closes the file."""
        if figures is not None:
            plain = {key: _plain(value) for key, value in self._settings.items()}
            self._writer.add_hparams(plain, dict(figures), run_name=".", global_step=self._last)
        self._writer.close()


def _plain(value: object) -> bool | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
