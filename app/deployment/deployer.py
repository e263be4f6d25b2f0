"""Loads, replaces and removes the models of a running server, one change at a time.

A new version is read, verified and warmed in a thread before it takes over; an error until then changes nothing and is
reported. The settings and then `/admin` say what to serve; the processes of one server publish changes to each other.
A signal, or a look at the folders from time to time, loads versions that were saved in place.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from app.config.settings import SettingsError
from app.core.classifier import Embedder
from app.core.errors import AppError, CheckpointRefused, ServiceError
from app.core.memory import settle
from app.core.plan import Plan, Plans
from app.core.shared import SharedFolder
from app.deployment.loader import cause_of
from app.deployment.loading import LoadingThread
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


@dataclass(eq=False)
class Deployer:
    """Keeps the models of a registry as they are planned; nothing else changes them.

    Attributes:
        registry: of the models, with their plans for the start; published plans take precedence.
        rollout: exchanges what requests meet.
        loading: thread that loads classifiers.
        metrics: told of loaded and refused checkpoints.
        folder: shared by the processes of one server.
        watch_s: how often to look whether a folder has changed, in seconds; 0 for never.
    """

    registry: Registry
    rollout: Rollout
    loading: LoadingThread
    metrics: Metrics
    folder: SharedFolder | None
    watch_s: float
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _first: asyncio.Task[None] | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def _started(self) -> bool:
        return self._first is not None and self._first.done()

    def start(self) -> None:
        """Starts loading and returns at once, so that health can be asked meanwhile."""
        self._first = self._spawn(self._load_all())
        if self.folder is not None or self.watch_s:
            self._spawn(self._keep())

    async def loaded(self) -> None:
        """Waits until the first loading has succeeded or failed."""
        if self._first is not None:
            await asyncio.wait([self._first])

    async def stop(self) -> None:
        """Stops loading and serving; requests under way fail."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.loading.close()
        await self.rollout.stop()

    def reload(self) -> None:
        """Starts loading the versions in the folders that are not served yet; call it on the event loop."""
        logger.info("reloading the models")
        self._spawn(self._reload(insist=True))

    async def change(self, name: str, change: Change) -> Plan | None:
        """Changes the plan of a name, here at once and in the other processes within about a second.

        If another process changes the name meanwhile, the change is computed once more, from the plan of that one.

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
            while True:
                seen = await self._follow()  # what was changed elsewhere a moment ago counts
                deployment = self.registry.entry(name)
                plan = change(deployment.plan)
                try:
                    plan, classifiers = await self._load(deployment, plan)
                except Exception as error:
                    self._refuse(deployment, error)
                    raise CheckpointRefused(f"Nothing has changed: {cause_of(error)}.") from error
                if await self._publish(deployment, plan, seen):
                    self._exchange(deployment, plan, classifiers)
                    return deployment.plan

    # At the start.

    async def _load_all(self) -> None:
        async with self._changing:
            try:
                if (plans := await self._published()) is not None:
                    self.registry.expect(plans)
                    for name, plan in plans.items():
                        self.registry.entry(name).followed = plan
                for name, plan in self.registry.plans.items():
                    await self._apply(self.registry.entry(name), plan)
                settle()
                self.loading.give_back()
                if self.folder is not None:
                    self.folder.set_loaded()
            except Exception as error:
                self.registry.failure = error
                # The settings and the checkpoint are the operator's, so the message holds no text of a user.
                foreseen = isinstance(error, ModelError | SettingsError)
                logger.critical("a model could not be loaded: %s", error, exc_info=None if foreseen else error)

    # Later.

    async def _keep(self) -> None:
        await self.loaded()
        pause_s = min(LOOK_EVERY_S, self.watch_s or LOOK_EVERY_S)
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(pause_s)
            await self._guarded(self._follow_others)
            if self.watch_s and time.monotonic() - looked_at >= self.watch_s:
                await self._guarded(self._reload)
                looked_at = time.monotonic()

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        """Logs an exception and continues."""
        try:
            await step()
        except Exception as error:
            logger.exception("could not check the models for changes", exc_info=error)

    async def _reload(self, insist: bool = False) -> None:
        async with self._changing:
            for name, plan in self.registry.plans.items():
                await self._try(self.registry.entry(name), plan, insist=insist, renew=True)

    async def _follow_others(self) -> None:
        async with self._changing:
            await self._follow()

    async def _follow(self) -> Plans:
        """Applies what other processes have published, and returns it; the own plans if nobody has."""
        plans = await self._published()
        if plans is None:
            return self.registry.plans
        for name, plan in plans.items():
            deployment = self.registry.entry(name)
            reached = deployment.followed or deployment.plan
            if plan == reached or await self._try(deployment, plan):
                deployment.followed = plan
        for name in self.registry.plans.keys() - plans.keys():
            await self._apply(self.registry.entry(name), None)
        return plans

    async def _try(self, deployment: Deployment, plan: Plan, *, insist: bool = False, renew: bool = False) -> bool:
        """Applies a plan and says whether that worked; a refused one is tried again only once its folders change.

        Args:
            insist: try it anyway.
            renew: take the versions that the folders hold now instead of those of the plan.
        """
        attempt = plan, *await self.loading.stamps(plan)
        if deployment.refused == attempt and not insist:
            return False
        try:
            if renew:
                plan = plan.with_versions(await self.loading.versions(plan))
            if plan == deployment.plan:
                deployment.forgive()
                if insist:
                    _tell_unchanged(deployment)
            else:
                await self._apply(deployment, plan)
        except Exception as error:
            self._refuse(deployment, error, again=insist)
            deployment.refused = attempt
            return False
        return True

    # One change.

    async def _apply(self, deployment: Deployment, plan: Plan | None) -> None:
        """Serves what is planned, or removes the model. Raises with nothing changed."""
        self._exchange(deployment, *await self._load(deployment, plan))

    async def _load(self, deployment: Deployment, plan: Plan | None) -> tuple[Plan | None, list[Embedder]]:
        """Loads what is planned; returns the plan with the versions found, and their classifiers."""
        if plan is None:
            return None, []
        classifiers = await self.loading.classifiers(deployment, plan, spare=self._started)
        if self._started:  # one that replaces another process lets all reload anyway
            _tell_other_versions(deployment, plan, classifiers)
        return plan.with_versions([classifier.version for classifier in classifiers]), classifiers

    def _exchange(self, deployment: Deployment, plan: Plan | None, classifiers: Sequence[Embedder]) -> None:
        """Serves what was loaded, or removes the model."""
        if plan is None:
            self.rollout.withdraw(deployment)
            return
        before = [served.classifier for served in deployment.versions]
        self.rollout.deploy(deployment, plan, classifiers)
        deployment.forgive()
        if self._started and any(classifier not in before for classifier in classifiers):
            self.metrics.deployments.reloads.labels(deployment.name, "loaded").inc()

    async def _published(self) -> Plans | None:
        return None if self.folder is None else await asyncio.to_thread(published_plans, self.folder)

    async def _publish(self, deployment: Deployment, plan: Plan | None, seen: Plans) -> bool:
        """Tells the other processes of a plan; False if one of them has changed what was seen of this name."""
        if self.folder is None:
            return True
        name = deployment.name
        try:
            if not await asyncio.to_thread(write_plan, self.folder, name, plan, seen):
                return False
        except OSError as error:
            logger.error("the other workers cannot be told of a change", extra={"model": name, "cause": error.strerror})
            raise ServiceError(
                f"The other processes of this server cannot be told: {error.strerror}. Nothing has changed.",
                retry_after_s=5,
            ) from None
        for other in self.registry.entries:
            other.followed = other.followed or other.plan
        deployment.followed = plan
        return True

    def _refuse(self, deployment: Deployment, error: Exception, *, again: bool = True) -> None:
        """Records why something could not be loaded; logs the same twice in a row only if `again`."""
        detail = cause_of(error)
        before, deployment.refusal = deployment.refusal, Refusal(time.time(), detail)
        self.metrics.deployments.reloads.labels(deployment.name, "refused").inc()
        if again or before is None or before.detail != detail:
            foreseen = isinstance(error, ModelError | AppError | SettingsError)
            extra = {"model": deployment.name, "cause": str(error) if foreseen else detail}
            logger.error("a model was not replaced", extra=extra, exc_info=None if foreseen else error)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _tell_other_versions(deployment: Deployment, plan: Plan, classifiers: Sequence[Embedder]) -> None:
    """Logs each folder that was changed since the plan was made: other processes may serve what it held before."""
    for source, classifier in zip(plan.sources, classifiers, strict=True):
        if source.version and source.version != classifier.version:
            extra = {"model": deployment.name, "planned": source.version, "version": classifier.version}
            logger.error("a folder holds another version than planned; SIGHUP loads it in all workers", extra=extra)


def _tell_unchanged(deployment: Deployment) -> None:
    # The other files were not read: one that is damaged is found when it is to be loaded.
    for served in deployment.versions:
        extra = {"model": deployment.name, "version": served.version}
        logger.info("a model is unchanged, by its SHA256SUMS", extra=extra)
