"""Metrics of the GPUs that models compute on."""

from typing import TYPE_CHECKING

from app.telemetry.counters import SeriesTable

if TYPE_CHECKING:
    from model.gpu import GpuUse  # which brings torch


class GpuMetrics:
    """Memory and load of each GPU; no series where all models compute on the CPU.

    Attributes:
        devices: GPUs that models compute on, such as `cuda:0`.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.devices: set[str] = set()
        self._used = table.gauge("sluice_gpu_memory_used_bytes")
        self._total = table.gauge("sluice_gpu_memory_total_bytes")
        self._allocated = table.gauge("sluice_gpu_memory_allocated_bytes")
        self._utilisation = table.gauge("sluice_gpu_utilisation_ratio")

    def set(self, device: str, use: "GpuUse") -> None:
        """Shows these figures until the next ones."""
        self._used.labels(device).set(use.memory_used)
        self._total.labels(device).set(use.memory_total)
        self._allocated.labels(device).set(use.memory_allocated)
        if use.utilisation is not None:
            self._utilisation.labels(device).set(use.utilisation)

    def forget(self, device: str) -> None:
        """Shows nothing: figures that are not known any more must not look like news."""
        for series in (self._used, self._total, self._allocated, self._utilisation):
            series.forget(device)
