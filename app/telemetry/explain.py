"""Metrics of explanations, besides those of every request."""

from app.telemetry.counters import SeriesTable


class ExplainMetrics:
    """Queue, time and losses of the process that explains.

    Attributes:
        texts: under way.
        seconds: of a text, by model.
        restarts: of the process.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.texts = table.gauge("sluice_explain_queue_texts").labels()
        self.seconds = table.histogram("sluice_explain_seconds")
        self.restarts = table.counter("sluice_explain_restarts").labels()
