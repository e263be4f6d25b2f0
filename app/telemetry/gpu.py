"""What the GPUs that models compute on have to spare."""

from functools import partial
from typing import TYPE_CHECKING

from app.telemetry.counters import Tallies

if TYPE_CHECKING:
    from model.gpu import GpuUse  # which brings torch


class GpuGauges:
    """The families, by device; without series where all compute on the CPU."""

    def __init__(self, tallies: Tallies) -> None:
        self._used = tallies.gauge(
            "sluice_gpu_memory_used_bytes", "Memory of the GPU in use, by whatever process.", "device", combine=max
        )
        self._total = tallies.gauge("sluice_gpu_memory_total_bytes", "Memory of the GPU.", "device", combine=max)
        self._allocated = tallies.gauge(
            "sluice_gpu_memory_allocated_bytes",
            "Memory that tensors of this server take on the GPU, over all workers. It should be flat under traffic; "
            "lower max_batch_tokens if it comes near the total.",
            "device",
        )
        self._utilisation = tallies.gauge(
            "sluice_gpu_utilisation_ratio",
            "Share of the last second in which the GPU computed, for whatever process; absent without the package "
            "nvidia-ml-py.",
            "device",
            combine=max,
        )

    def tell(self, device: str, use: "GpuUse") -> None:
        """Shows these figures until the next ones."""
        self._used.of(device).watch = partial(float, use.memory_used)
        self._total.of(device).watch = partial(float, use.memory_total)
        self._allocated.of(device).watch = partial(float, use.memory_allocated)
        if use.utilisation is not None:
            self._utilisation.of(device).watch = partial(float, use.utilisation)

    def forget(self, device: str) -> None:
        """Shows nothing: what is not known any more must not look like news."""
        for family in (self._used, self._total, self._allocated, self._utilisation):
            family.forget(device)
