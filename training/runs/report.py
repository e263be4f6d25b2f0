"""Writes the report about the checkpoint that a run has just finished."""

import numpy as np
import numpy.typing as npt

from training.config.config import TrainConfig
from training.data.corpus import Corpus
from training.runs.session import Session


def report_run(
    session: Session, config: TrainConfig, corpus: Corpus, held_out_NC: npt.NDArray[np.float32] | None = None
) -> None:
    """Writes the page and the JSON file beside the checkpoint `session.output`, and says where.

    Wrong answers are listed of validation texts alone: texts that were read to improve a model no longer test it.

    Args:
        session: has written the checkpoint.
        config: of the run.
        corpus: of the run.
        held_out_NC: as of `training.artifacts.publish.Trained`.
    """
    from training.reporting.build import Material, report_paths, write_report  # Matplotlib, which no step needs

    page, json_file = report_paths(session.output)
    material = Material(
        checkpoint=session.output,
        held_out=corpus.held_out,
        shown=frozenset({"validation"}),
        train=corpus.train,
        stopping=corpus.stopping,
        slice_columns=config.data.slice_columns,
        held_out_NC=held_out_NC,
        metric=config.metric,
        seed=config.seed,
        device=session.device,
    )
    write_report(material, page, json_file)
    session.console.print(f"report: {page}", markup=False, highlight=False)
