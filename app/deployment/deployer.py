"""Loads, replaces and removes the models of a running server, one change at a time.

A new version is read, verified and warmed in a thread before it takes over; an error until then changes nothing and is
reported. The settings and then `/admin` say what to serve; the processes of one server publish changes to each other.
A signal, or a look at the folders from time to time, loads versions that were saved in place.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.config.settings import SettingsError
from app.core.classifier import Classifier
from app.core.errors import AppError, CheckpointRefused, ServiceError
from app.core.memory import give_back, settle
from app.core.plan import Plan, Plans, Source
from app.core.shared import SharedFolder
from app.deployment.loader import Loader, cause_of
from app.deployment.plans import published_plans, write_plan
from app.deployment.registry import Deployment, Refusal, Registry
from app.deployment.rollout import Rollout
from app.telemetry.metrics import Metrics
from model.errors import ModelError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""Interval at which the changes of the other processes are looked for."""

Change = Callable[[Plan | None], Plan | None]
"""From the plan that a name has, to the one it should have; None stands for no model."""


class Deployer:
    """Keeps the models of a registry as they are planned; nothing else changes them.

    Args:
        registry: of the models, with their plans for the start; published plans take precedence.
        rollout: exchanges what requests meet.
        loader: of classifiers.
        metrics: told of loaded and refused checkpoints.
        folder: shared by the processes of one server.
        watch_s: how often to look whether a folder has changed, in seconds; 0 for never.
        max_batch_tokens: length of the longest text that a model may take.
    """

    def __init__(
        self,
        registry: Registry,
        rollout: Rollout,
        loader: Loader,
        metrics: Metrics,
        folder: SharedFolder | None = None,
        *,
        watch_s: float,
        max_batch_tokens: int,
    ) -> None:
        self._registry = registry
        self._rollout = rollout
        self._loader = loader
        self._metrics = metrics
        self._folder = folder
        self._watch_s = watch_s
        self._max_batch_tokens = max_batch_tokens
        self._changing = asyncio.Lock()
        # Always the same thread: a new one would get memory of its own for what loading takes, and threads of PyTorch.
        self._loading_thread = ThreadPoolExecutor(1, "load")
        self._loading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def _started(self) -> bool:
        return self._loading is not None and self._loading.done()

    def start(self) -> None:
        """Starts loading and returns at once, so that health can be asked meanwhile."""
        self._loading = self._spawn(self._load_all())
        if self._folder is not None or self._watch_s:
            self._spawn(self._keep())

    async def loaded(self) -> None:
        """Waits until the first loading has succeeded or failed."""
        if self._loading is not None:
            await asyncio.wait([self._loading])

    async def stop(self) -> None:
        """Stops loading and serving; requests under way fail."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._loading_thread.shutdown(wait=False)
        await self._rollout.stop()

    def reload(self) -> None:
        """Starts loading the versions in the folders that are not served yet; call it on the event loop."""
        logger.info("reloading")
        self._spawn(self._reload(insist=True))

    async def change(self, name: str, change: Change) -> Plan | None:
        """Changes the plan of a name, here at once and in the other processes within about a second.

        Args:
            change: gets the plan that the name has now, None if there is no such model, and returns the new one.

        Returns:
            The plan that the name has now.

        Raises:
            CheckpointRefused: the plan cannot be served; says why. Nothing has changed.
            ServiceError: the other processes cannot be told. Nothing has changed.
            AppError: raised by `change`.
        """
        async with self._changing:
            await self._follow()  # what was changed elsewhere a moment ago counts
            deployment = self._registry.entry(name)
            plan = change(deployment.plan)
            try:
                await self._apply(deployment, plan, publish=True)
            except ServiceError:
                raise
            except Exception as error:
                self._refuse(deployment, error)
                raise CheckpointRefused(f"Nothing has changed: {cause_of(error)}.") from error
            return deployment.plan

    # At the start.

    async def _load_all(self) -> None:
        async with self._changing:
            try:
                if (plans := await self._published()) is not None:
                    self._registry.expect(plans)
                    for name, plan in plans.items():
                        self._registry.entry(name).followed = plan
                for name, plan in self._registry.plans.items():
                    await self._apply(self._registry.entry(name), plan)
                settle()
                self._loading_thread.submit(give_back)
                if self._folder is not None:
                    self._folder.set_loaded()
            except Exception as error:
                self._registry.failure = error
                # The settings and the checkpoint are the operator's, so the message holds no text of a user.
                foreseen = isinstance(error, ModelError | SettingsError)
                logger.critical("a model could not be loaded: %s", error, exc_info=None if foreseen else error)

    # Later.

    async def _keep(self) -> None:
        await self.loaded()
        pause_s = min(LOOK_EVERY_S, self._watch_s or LOOK_EVERY_S)
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(pause_s)
            await self._guarded(self._follow_others)
            if self._watch_s and time.monotonic() - looked_at >= self._watch_s:
                await self._guarded(self._reload)
                looked_at = time.monotonic()

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        """Logs an exception and continues."""
        try:
            await step()
        except Exception as error:
            logger.exception("could not look after the models", exc_info=error)

    async def _reload(self, insist: bool = False) -> None:
        async with self._changing:
            for name, plan in self._registry.plans.items():
                await self._try(self._registry.entry(name), plan, insist=insist, renew=True)

    async def _follow_others(self) -> None:
        async with self._changing:
            await self._follow()

    async def _follow(self) -> None:
        """Applies what other processes have published."""
        plans = await self._published()
        if plans is None:
            return
        for name, plan in plans.items():
            deployment = self._registry.entry(name)
            reached = deployment.followed or deployment.plan
            if plan == reached or await self._try(deployment, plan):
                deployment.followed = plan
        for name in self._registry.plans.keys() - plans.keys():
            await self._apply(self._registry.entry(name), None)

    async def _try(self, deployment: Deployment, plan: Plan, *, insist: bool = False, renew: bool = False) -> bool:
        """Applies a plan and says whether that worked; a refused one is tried again only once its folders change.

        Args:
            insist: try it anyway.
            renew: take the versions that the folders hold now instead of those of the plan.
        """
        paths = [Path(source.path) for source in plan.sources]
        attempt = plan, *[await asyncio.to_thread(self._loader.stamp, path) for path in paths]
        if deployment.refused == attempt and not insist:
            return False
        try:
            if renew:
                plan = plan.with_versions([await asyncio.to_thread(self._loader.version, path) for path in paths])
            if plan == deployment.plan:
                _forgive(deployment)
            else:
                await self._apply(deployment, plan)
        except Exception as error:
            self._refuse(deployment, error, again=insist)
            deployment.refused = attempt
            return False
        return True

    # One change.

    async def _apply(self, deployment: Deployment, plan: Plan | None, *, publish: bool = False) -> None:
        """Serves what is planned, or removes the model. Raises with nothing changed."""
        if plan is None:
            await self._publish(deployment, None, publish)
            self._rollout.withdraw(deployment)
            return
        classifiers = [await self._obtain(deployment, source) for source in plan.sources]
        if len({(classifier.labels, classifier.task) for classifier in classifiers}) > 1:
            raise SettingsError(f"The versions of {deployment.name} side by side have different labels.")
        plan = plan.with_versions([classifier.version for classifier in classifiers])
        await self._publish(deployment, plan, publish)
        before = [served.classifier for served in deployment.versions]
        self._rollout.deploy(deployment, plan, classifiers)
        _forgive(deployment)
        if self._started and any(classifier not in before for classifier in classifiers):
            self._metrics.deployments.inc_reloads(deployment.name, "loaded")

    async def _obtain(self, deployment: Deployment, source: Source) -> Classifier:
        """Returns the classifier that came from this source before, else loads what its folder holds now."""
        path = Path(source.path)
        version = source.version or await asyncio.to_thread(self._loader.version, path)
        for served in deployment.versions:
            if served.source == Source(source.path, version):
                return served.classifier
        name = deployment.name
        loaded = await asyncio.get_running_loop().run_in_executor(self._loading_thread, self._load, name, path)
        # The same version from another folder need not be served twice.
        return next((served.classifier for served in deployment.versions if served.version == loaded.version), loaded)

    def _load(self, name: str, path: Path) -> Classifier:
        classifier = self._loader.load(path, spare=self._started)
        if classifier.max_tokens > self._max_batch_tokens:
            raise SettingsError(
                f"The model {name} takes texts of {classifier.max_tokens} tokens, but max_batch_tokens is "
                f"{self._max_batch_tokens}: its longest text would not fit into a batch."
            )
        return classifier

    async def _published(self) -> Plans | None:
        return None if self._folder is None else await asyncio.to_thread(published_plans, self._folder)

    async def _publish(self, deployment: Deployment, plan: Plan | None, publish: bool) -> None:
        if not publish or self._folder is None:
            return
        name, plans = deployment.name, self._registry.plans
        try:
            await asyncio.to_thread(write_plan, self._folder, name, plan, plans)
        except OSError as error:
            logger.error("the other workers cannot be told of a change", extra={"model": name, "cause": error.strerror})
            raise ServiceError(
                f"The other processes of this server cannot be told: {error.strerror}. Nothing has changed.",
                retry_after_s=5,
            ) from None
        for other in self._registry.entries:
            other.followed = other.followed or other.plan
        deployment.followed = plan

    def _refuse(self, deployment: Deployment, error: Exception, *, again: bool = True) -> None:
        """Records why something could not be loaded; logs the same twice in a row only if `again`."""
        detail = cause_of(error)
        before, deployment.refusal = deployment.refusal, Refusal(time.time(), detail)
        self._metrics.deployments.inc_reloads(deployment.name, "refused")
        if again or before is None or before.detail != detail:
            foreseen = isinstance(error, ModelError | AppError | SettingsError)
            extra = {"model": deployment.name, "cause": str(error) if foreseen else detail}
            logger.error("a model was not replaced", extra=extra, exc_info=None if foreseen else error)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _forgive(deployment: Deployment) -> None:
    deployment.refusal = deployment.refused = None
