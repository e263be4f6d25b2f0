"""Metrics of the GPUs that models compute on."""

from typing import TYPE_CHECKING

from app.telemetry.counters import SeriesTable

if TYPE_CHECKING:
    from model.gpu import GpuUse  # which brings torch


FIGURES = {
    "memory_used": "sluice_gpu_memory_used_bytes",
    "memory_total": "sluice_gpu_memory_total_bytes",
    "memory_allocated": "sluice_gpu_memory_allocated_bytes",
    "utilisation": "sluice_gpu_utilisation_ratio",
}
"""Families by field of `GpuUse`."""


class GpuMetrics:
    """Memory and load of each GPU; no series where all models compute on the CPU.

    Attributes:
        devices: GPUs that models compute on, such as `cuda:0`.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.devices: set[str] = set()
        self._series = {figure: table.gauge(name) for figure, name in FIGURES.items()}

    def set(self, device: str, use: "GpuUse") -> None:
        """Shows these figures until the next ones."""
        for figure, series in self._series.items():
            value = getattr(use, figure)
            if value is not None:
                series.labels(device).set(value)

    def forget(self, device: str) -> None:
        """Shows nothing: figures that are not known any more must not look like news."""
        for series in self._series.values():
            series.forget(device)
