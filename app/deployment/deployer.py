"""Loads, replaces and removes the models of a running server, one change at a time.

A new version is read, verified and warmed in a thread before it takes over; whatever goes wrong until then changes
nothing and is told. What is to be served comes from the settings, then from `/admin`; several processes of one server
tell each other by their board. A signal or a look at the folders exchanges what changed in place.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.config.settings import Settings
from app.core.classifier import Classifier
from app.core.errors import AppError, CheckpointRefused, ServiceError, SettingsError
from app.core.memory import give_back, settle
from app.core.plan import Plan, Plans, Source
from app.core.shared import Board
from app.deployment.loader import Loader, Stamp, cause_of
from app.deployment.registry import Deployment, Refusal, Registry
from app.telemetry.metrics import Metrics
from model.errors import ModelError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""How often the board is asked what the other processes have changed."""

Change = Callable[[Plan | None], Plan | None]
"""What a name is to serve, by what it serves now."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What was tried and refused: not worth another try until something in the folders differs."""

    plan: Plan
    stamps: tuple[Stamp, ...]


class Deployer:
    """Keeps the models as they are wanted.

    Args:
        registry: that it changes.
        plans: of the start; those on the board, if there are any, stand above them.
        loader: where classifiers come from.
        settings, metrics: of the server.
        board: of the processes that serve the same.
    """

    def __init__(
        self,
        registry: Registry,
        plans: Plans,
        loader: Loader,
        settings: Settings,
        metrics: Metrics,
        board: Board | None = None,
    ) -> None:
        self._registry = registry
        self._plans = dict(plans)
        self._loader = loader
        self._settings = settings
        self._metrics = metrics
        self._board = board
        self._seen: Plans | None = None
        self._attempts: dict[str, _Attempt] = {}
        self._changing = asyncio.Lock()
        # Always the same thread: a new one would get memory of its own for what loading takes, and threads of PyTorch.
        self._loading_thread = ThreadPoolExecutor(1, "load")
        self._loading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def plans(self) -> Plans:
        """What is served, by name; the versions are those that are loaded."""
        return dict(self._plans)

    @property
    def _started(self) -> bool:
        return self._loading is not None and self._loading.done()

    def start(self) -> None:
        """Begins to load; returns at once, so that health can be asked meanwhile."""
        self._loading = self._spawn(self._load_all())
        if self._board is not None or self._settings.watch_s:
            self._spawn(self._keep())

    async def loaded(self) -> None:
        """Waits until the first loading has ended, well or badly."""
        if self._loading is not None:
            await asyncio.wait([self._loading])

    async def stop(self) -> None:
        """Ends what it is doing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._loading_thread.shutdown(wait=False)

    def reload(self) -> None:
        """Begins to exchange what lies in its folder in another version than is served; call it on the event loop."""
        logger.info("reloading")
        self._spawn(self._reload(insist=True))

    async def change(self, name: str, change: Change) -> Plan | None:
        """Serves something else under a name, here at once and in the other processes within a second or so.

        Returns what is served under it now.

        Args:
            change: given what is served now, None if the name is new; returns what to serve, None for nothing.

        Raises:
            CheckpointRefused: what it asks for cannot be served; says why. Nothing has changed.
            ServiceError: the other processes cannot be told. Nothing has changed.
            AppError: raised by `change`.
        """
        async with self._changing:
            await self._follow()  # what was changed elsewhere a moment ago counts
            plan = change(self._plans.get(name))
            try:
                await self._apply(name, plan, publish=True)
            except ServiceError:
                raise
            except Exception as error:
                self._refused(name, error)
                raise CheckpointRefused(f"Nothing has changed: {cause_of(error)}.") from error
            return self._plans.get(name)

    # At the start.

    async def _load_all(self) -> None:
        async with self._changing:
            try:
                if self._board is not None and (plans := await asyncio.to_thread(self._board.plans)) is not None:
                    self._seen, self._plans = plans, dict(plans)
                    self._registry.names[:] = plans
                for name, plan in list(self._plans.items()):
                    await self._apply(name, plan)
                settle()
                self._loading_thread.submit(give_back)
                if self._board is not None:
                    self._board.note_loaded()
            except Exception as error:
                self._registry.failure = error
                # The settings and the checkpoint are the operator's, so the message holds no text of a user.
                foreseen = isinstance(error, ModelError | SettingsError)
                logger.critical("a model could not be loaded: %s", error, exc_info=None if foreseen else error)

    # Later.

    async def _keep(self) -> None:
        await self.loaded()
        watch_s = self._settings.watch_s
        pause_s = min(LOOK_EVERY_S, watch_s or LOOK_EVERY_S)
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(pause_s)
            await self._guarded(self._follow_others)
            if watch_s and time.monotonic() - looked_at >= watch_s:
                await self._guarded(self._reload)
                looked_at = time.monotonic()

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        """Whatever befalls one step, the next one will come."""
        try:
            await step()
        except Exception as error:
            logger.exception("could not look after the models", exc_info=error)

    async def _reload(self, insist: bool = False) -> None:
        async with self._changing:
            for name, plan in self.plans.items():
                await self._try(name, plan, insist=insist, renew=True)

    async def _follow_others(self) -> None:
        async with self._changing:
            await self._follow()

    async def _follow(self) -> None:
        """Does what another process was told."""
        plans = None if self._board is None else await asyncio.to_thread(self._board.plans)
        if plans is None or plans == self._seen:
            return
        before = self._plans if self._seen is None else self._seen
        reached: Plans = {}
        for name, plan in plans.items():
            if plan == before.get(name) or await self._try(name, plan):
                reached[name] = plan
        for name in self._plans.keys() - plans.keys():
            await self._apply(name, None)
        self._seen = reached

    async def _try(self, name: str, plan: Plan, *, insist: bool = False, renew: bool = False) -> bool:
        """Applies a plan and whether that worked; what was refused is only tried again once its folders changed.

        Args:
            insist: try it anyway.
            renew: take what the folders hold now for the versions that the plan names.
        """
        paths = [Path(source.path) for source in plan.sources]
        stamps = tuple([await asyncio.to_thread(self._loader.stamp, path) for path in paths])
        attempt = _Attempt(plan, stamps)
        if self._attempts.get(name) == attempt and not insist:
            return False
        try:
            if renew:
                versions = [await asyncio.to_thread(self._loader.version, path) for path in paths]
                plan = plan.with_versions(versions)
            if plan == self._plans.get(name):
                self._forgive(name)
                return True
            await self._apply(name, plan)
        except Exception as error:
            self._refused(name, error, again=insist)
            self._attempts[name] = attempt
            return False
        return True

    # One change.

    async def _apply(self, name: str, plan: Plan | None, *, publish: bool = False) -> None:
        """Lets a name serve what is planned, or removes it. Raises with nothing changed."""
        if plan is None:
            await self._publish(name, None, publish)
            self._registry.remove(name)
            del self._plans[name]
            return
        deployment = self._registry.deployments.get(name)
        classifiers = [await self._obtain(name, deployment, source) for source in plan.sources]
        if len({(classifier.labels, classifier.task) for classifier in classifiers}) > 1:
            raise SettingsError(f"The versions of {name} side by side have different labels.")
        plan = plan.with_versions([classifier.version for classifier in classifiers])
        await self._publish(name, plan, publish)
        self._registry.install(name, *classifiers, share=plan.share, shadow=plan.shadow)
        self._plans[name] = plan
        self._forgive(name)
        before = [] if deployment is None else [served.classifier for served in deployment.versions]
        if self._started and any(classifier not in before for classifier in classifiers):
            self._metrics.reloaded(name, "loaded")

    async def _obtain(self, name: str, deployment: Deployment | None, source: Source) -> Classifier:
        """A classifier of this version: one that came from this folder before, else what it holds now."""
        path = Path(source.path)
        version = source.version or await asyncio.to_thread(self._loader.version, path)
        there = {} if deployment is None else {served.version: served.classifier for served in deployment.versions}
        if version in there and Source(source.path, version) in self._plans[name].sources:
            return there[version]
        loaded = await asyncio.get_running_loop().run_in_executor(self._loading_thread, self._load, name, path)
        return there.get(loaded.version, loaded)

    def _load(self, name: str, path: Path) -> Classifier:
        classifier = self._loader.load(path, spare=self._started)
        if classifier.max_tokens > self._settings.max_batch_tokens:
            raise SettingsError(
                f"The model {name} takes texts of {classifier.max_tokens} tokens, but max_batch_tokens is "
                f"{self._settings.max_batch_tokens}: its longest text would not fit into a batch."
            )
        return classifier

    async def _publish(self, name: str, plan: Plan | None, publish: bool) -> None:
        if not publish or self._board is None:
            return
        try:
            await asyncio.to_thread(self._board.publish, name, plan, self.plans)
        except OSError as error:
            logger.error("the other workers cannot be told of a change", extra={"model": name, "cause": error.strerror})
            raise ServiceError(
                f"The other processes of this server cannot be told: {error.strerror}. Nothing has changed.",
                retry_after_s=5,
            ) from None
        seen = dict(self._plans if self._seen is None else self._seen)
        self._seen = {other: known for other, known in seen.items() if other != name}
        if plan is not None:
            self._seen[name] = plan

    def _refused(self, name: str, error: Exception, *, again: bool = True) -> None:
        """Tells that something could not be loaded; the same twice in a row only if `again`."""
        detail = cause_of(error)
        before = self._registry.refusals.get(name)
        self._registry.refusals[name] = Refusal(time.time(), detail)
        self._metrics.reloaded(name, "refused")
        if again or before is None or before.detail != detail:
            foreseen = isinstance(error, ModelError | AppError)
            cause = str(error) if foreseen else detail
            extra = {"model": name, "cause": cause}
            logger.error("a model was not replaced", extra=extra, exc_info=None if foreseen else error)

    def _forgive(self, name: str) -> None:
        self._attempts.pop(name, None)
        self._registry.refusals.pop(name, None)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
