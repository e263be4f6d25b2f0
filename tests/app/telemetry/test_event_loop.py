"""Lag of the event loop, and figures of the GPUs."""

import asyncio
import time
from collections.abc import Iterator

import pytest

import model.gpu
from app.telemetry.event_loop import sample
from app.telemetry.metrics import Metrics
from model.gpu import GpuUse, gpu_use
from tests.app.conftest import until
from tests.app.telemetry.test_drift import rendered, value

pytestmark = pytest.mark.anyio


async def test_a_loop_that_is_held_up_is_late() -> None:
    metrics = Metrics()
    watching = asyncio.create_task(sample(metrics))
    await asyncio.sleep(0.01)
    time.sleep(0.35)  # noqa: ASYNC251  # that is the fault
    await asyncio.sleep(0.15)
    watching.cancel()
    text = rendered(metrics)
    late = (value(text, "sluice_event_loop_lag_seconds_count") or 0) - (
        value(text, 'sluice_event_loop_lag_seconds_bucket{le="0.1"}') or 0
    )
    assert late == 1


async def test_figures_of_a_gpu_are_shown_until_it_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[GpuUse | Exception] = iter(
        (GpuUse(30, 100, 20, 0.5), GpuUse(40, 100, 20, None), RuntimeError("an illegal memory access"))
    )

    def asked(device: str) -> GpuUse:
        assert device == "cuda:0"
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(model.gpu, "gpu_use", asked)
    metrics = Metrics()
    metrics.deployments.set_version("m", "0123456789ab", "cuda:0", "bfloat16", 1.0)
    used = 'sluice_gpu_memory_used_bytes{device="cuda:0"}'
    watching = asyncio.create_task(sample(metrics, gpu_every_s=0.05))
    await until(lambda: value(rendered(metrics), used) == 30)
    assert value(rendered(metrics), 'sluice_gpu_utilisation_ratio{device="cuda:0"}') == 0.5
    await until(lambda: value(rendered(metrics), used) == 40)
    assert value(rendered(metrics), 'sluice_gpu_memory_allocated_bytes{device="cuda:0"}') == 20
    await until(lambda: value(rendered(metrics), used) is None)
    watching.cancel()


async def test_a_model_on_the_cpu_asks_no_gpu() -> None:
    metrics = Metrics()
    metrics.deployments.set_version("m", "0123456789ab", "cpu", "int8", 1.0)
    assert not metrics.gpu.devices


class NVMLError(Exception):
    """As that of nvidia-ml-py, which derives from no other class."""


@pytest.mark.parametrize(
    ("busy", "share"),
    [(37, 0.37), (ModuleNotFoundError("nvidia-ml-py"), None), (NVMLError("Not Supported"), None)],
)
def test_what_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch, busy: int | Exception, share: float | None) -> None:
    def utilisation(_device: str) -> int:
        if isinstance(busy, Exception):
            raise busy
        return busy

    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _device: (600, 1000))
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda _device: 100)
    monkeypatch.setattr("torch.cuda.utilization", utilisation)
    assert gpu_use("cuda:0") == GpuUse(400, 1000, 100, share)
