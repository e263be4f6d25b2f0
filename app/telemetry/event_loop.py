"""What nobody asks for and must be looked at: whether the event loop is on time, and how full the GPUs are."""

import asyncio
import logging
import time

from app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LAG_EVERY_S = 0.1
GPU_EVERY_S = 5.0


async def watch(metrics: Metrics) -> None:
    """Looks until it is cancelled."""
    gpus = asyncio.create_task(_watch_gpus(metrics))
    try:
        while True:
            due = time.monotonic() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            metrics.lag.observe(max(0.0, time.monotonic() - due))
    finally:
        gpus.cancel()


async def _watch_gpus(metrics: Metrics) -> None:
    while True:
        for device in sorted(metrics.gpus):
            await _look_at(device, metrics)
        await asyncio.sleep(GPU_EVERY_S)


async def _look_at(device: str, metrics: Metrics) -> None:
    from model.gpu import gpu_use  # it brings torch, which whoever has a GPU has loaded

    try:
        # The driver may take its time.
        metrics.gpu.tell(device, await asyncio.to_thread(gpu_use, device))
    except RuntimeError as error:
        metrics.gpu.forget(device)
        logger.warning("the GPU gives no figures", extra={"device": device, "cause": type(error).__name__})
