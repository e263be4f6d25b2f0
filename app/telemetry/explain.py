"""What Prometheus is told of explanations, besides that they are requests like others."""

from app.telemetry.counters import Tallies

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ExplainTallies:
    """The families.

    Attributes:
        texts: under way.
        seconds: of a text, by model.
        restarts: of the process.
    """

    def __init__(self, tallies: Tallies) -> None:
        self.texts = tallies.gauge("sluice_explain_queue_texts", "Texts under way for POST /explain.").of()
        self.seconds = tallies.histogram(
            "sluice_explain_seconds", "Time of a text in the process that explains.", "model", bounds=SECONDS
        )
        self.restarts = tallies.counter(
            "sluice_explain_restarts",
            "Processes that explained and were lost while somebody waited; the next request starts another one. If the "
            "log has no cause, look for the kernel's out-of-memory killer: it takes this process first.",
        ).of()
