"""Samples event-loop lag and GPU memory in the background."""

import asyncio
import logging
import time

from app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LAG_EVERY_S = 0.1
GPU_EVERY_S = 5.0


async def sample(metrics: Metrics, *, gpu_every_s: float = GPU_EVERY_S) -> None:
    """Samples until it is cancelled."""
    gpus = asyncio.create_task(_sample_gpus(metrics, gpu_every_s))
    try:
        while True:
            due = time.monotonic() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            metrics.process.lag_seconds.observe(max(0.0, time.monotonic() - due))
    finally:
        gpus.cancel()


async def _sample_gpus(metrics: Metrics, every_s: float) -> None:
    while True:
        for device in sorted(metrics.gpu.devices):
            await _sample_gpu(device, metrics)
        await asyncio.sleep(every_s)


async def _sample_gpu(device: str, metrics: Metrics) -> None:
    from model.gpu import gpu_use  # it brings torch, which a process with a model on a GPU has loaded

    try:
        # The driver may take its time.
        metrics.gpu.set(device, await asyncio.to_thread(gpu_use, device))
    except RuntimeError as error:
        metrics.gpu.forget(device)
        logger.warning("the load of a GPU cannot be read", extra={"device": device, "cause": type(error).__name__})
