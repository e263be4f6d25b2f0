"""The service of one process: everything that lives from its start to its stop, built from the settings."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.auth.accounts import Accounts
from app.config.settings import Settings
from app.core.shared import SharedFolder
from app.deployment.deployer import Deployer
from app.deployment.loader import Checkpoints, Loader
from app.deployment.loading import LoadingThread
from app.deployment.plans import initial_plans
from app.deployment.registry import Registry
from app.deployment.rollout import Rollout
from app.explain.fork import Forked
from app.explain.queue import Explanations
from app.telemetry.event_loop import sample
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import start_tracing

if TYPE_CHECKING:
    from app.telemetry.otel import Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Parts of the server below HTTP.

    Attributes:
        settings: from which the rest was built.
        registry: models that answer.
        deployer: loads, replaces and removes them.
        explanations: queue and process behind `POST /explain`.
        accounts: API keys in use.
        metrics: of this process.
        tracer: sends traces, if they are asked for.
        load_first: wait at the start until the models are ready, so that no connection is taken before.
    """

    settings: Settings
    registry: Registry
    deployer: Deployer
    explanations: Explanations
    accounts: Accounts
    metrics: Metrics
    tracer: "Tracer | None" = None
    load_first: bool = False
    _background: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Begins to load the models, and what runs in the background."""
        self.deployer.start()
        self._background.extend(map(asyncio.create_task, (self.accounts.watch(), sample(self.metrics))))
        if self.load_first:
            await self.deployer.loaded()

    async def stop(self) -> None:
        """Fails what is still under way and frees threads and processes."""
        for task in self._background:
            task.cancel()
        await self.explanations.close()
        await self.deployer.stop()
        if self.tracer is not None:
            await self.tracer.close()


def build_service(
    settings: Settings,
    loader: Loader | None = None,
    *,
    folder: SharedFolder | None = None,
    load_first: bool = False,
    forked: Forked | None = None,
) -> Service:
    """A service that has not started.

    Args:
        settings: of the server.
        loader: of classifiers; by default they come from checkpoint folders.
        folder: what it shares with other processes of the same server.
        load_first: see `Service`.
        forked: process that explains, and the socket to it.

    Raises:
        SettingsError: a package or a file that the settings name is not there.
    """
    requests, batching = settings.requests, settings.batching
    tracer = start_tracing(settings.telemetry.otel_endpoint)
    metrics = Metrics(folder)
    metrics.process.set_limits(deadline_s=requests.deadline_ms / 1000, max_queue_texts=batching.max_queue_texts)
    registry = Registry(
        initial_plans(settings.models), metrics, folder, tokenise_threads=settings.compute.tokenise_threads
    )
    rollout = Rollout(registry, metrics, limits=batching, shadow_timeout_s=requests.deadline_ms / 1000)
    loading = LoadingThread(loader or Checkpoints(settings.compute), max_batch_tokens=batching.max_batch_tokens)
    deployer = Deployer(registry, rollout, loading, metrics, folder, settings.models.watch_s)
    explanations = Explanations(
        registry,
        settings.explain,
        metrics,
        max_chars=requests.max_chars,
        stuck_after_s=batching.stuck_after_s,
        log_level=settings.telemetry.log_level,
        forked=forked,
    )
    return Service(
        settings=settings,
        registry=registry,
        deployer=deployer,
        explanations=explanations,
        accounts=Accounts(settings.keys.api_keys, settings.keys.api_keys_file, metrics, folder),
        metrics=metrics,
        tracer=tracer,
        load_first=load_first,
    )
