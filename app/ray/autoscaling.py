"""Number of replicas from the texts that wait, as an autoscaling policy of Ray Serve.

Ray Serve copies this module into its controller by value, so it imports neither Ray nor anything of ours.
"""

from typing import Any, Protocol

QUEUED_TEXTS = "queued_texts"
"""Name of the metric that each replica reports."""


class Context(Protocol):
    """Part of Ray Serve's `AutoscalingContext` that is read here."""

    current_num_replicas: int
    aggregated_metrics: dict[str, dict[Any, float]] | None


class ByQueuedTexts:
    """Policy that keeps the texts under way in a replica near a target, on average.

    Ray Serve itself applies the bounds, delays and factors of `autoscaling_config`.

    Args:
        target: texts under way in one replica, more than 0.
    """

    def __init__(self, target: float = 128) -> None:
        self._target = target

    def __call__(self, context: Context) -> tuple[float, dict[str, Any]]:
        """Replicas wanted, a fraction included, and no state; as many as there are while none has reported."""
        reported = (context.aggregated_metrics or {}).get(QUEUED_TEXTS)
        if not reported:
            return context.current_num_replicas, {}
        return sum(reported.values()) / self._target, {}
