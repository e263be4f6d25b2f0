"""Loads the classifiers of plans on one thread, while requests go on."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.config.settings import SettingsError
from app.core.classifier import Embedder
from app.core.plan import Plan, Source
from app.deployment.loader import Loader, Stamp
from app.deployment.registry import Deployment
from model.memory import give_back


class LoadingThread:
    """The one thread that reads, verifies and warms checkpoints.

    Another one for each would get memory of its own for what loading takes, and threads of PyTorch.

    Args:
        loader: of classifiers.
        max_batch_tokens: length of the longest text that a model may take.
    """

    def __init__(self, loader: Loader, *, max_batch_tokens: int) -> None:
        self._loader = loader
        self._max_batch_tokens = max_batch_tokens
        self._executor = ThreadPoolExecutor(1, "load")

    async def versions(self, plan: Plan) -> list[str]:
        """Version that the folder of each source holds now."""
        return [await asyncio.to_thread(self._loader.version, Path(source.path)) for source in plan.sources]

    async def stamps(self, plan: Plan) -> list[Stamp]:
        """State of the folder of each source."""
        return [await asyncio.to_thread(self._loader.stamp, Path(source.path)) for source in plan.sources]

    async def classifiers(self, deployment: Deployment, plan: Plan, *, spare: bool) -> list[Embedder]:
        """Classifier of each source: one that came from it before, else what its folder holds now.

        Args:
            deployment: whose versions are at hand.
            plan: with the sources.
            spare: load with one thread only, since requests are answered meanwhile.

        Raises:
            ModelError: a checkpoint cannot be used; says why.
            SettingsError: a model takes too long texts, or the labels of two versions differ.
        """
        found = [await self._obtain(deployment, source, spare) for source in plan.sources]
        if len({(classifier.labels, classifier.task) for classifier in found}) > 1:
            raise SettingsError(
                f"The versions of {deployment.name} have different labels; side by side they need the same."
            )
        return found

    def give_back(self) -> None:
        """Returns to the system what loading has freed, after what is being loaded."""
        self._executor.submit(give_back)

    def close(self) -> None:
        """Ends the thread once it has loaded what it is loading."""
        self._executor.shutdown(wait=False)

    async def _obtain(self, deployment: Deployment, source: Source, spare: bool) -> Embedder:
        path = Path(source.path)
        version = source.version or await asyncio.to_thread(self._loader.version, path)
        for served in deployment.versions:
            if served.source == Source(source.path, version):
                return served.classifier
        loop = asyncio.get_running_loop()
        loaded = await loop.run_in_executor(self._executor, self._load, deployment.name, path, spare)
        # The same version from another folder need not be served twice.
        return next((served.classifier for served in deployment.versions if served.version == loaded.version), loaded)

    def _load(self, name: str, path: Path, spare: bool) -> Embedder:
        classifier = self._loader.load(path, spare=spare)
        if classifier.max_tokens > self._max_batch_tokens:
            raise SettingsError(
                f"The model {name} takes texts of {classifier.max_tokens} tokens, but --max-batch-tokens "
                f"is {self._max_batch_tokens}: its longest text would not fit into a batch. Raise it."
            )
        return classifier
