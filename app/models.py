"""The models that this server has: loading, readiness, and finding one by name."""

import asyncio
import gc
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.batching import Batcher
from app.board import Board
from app.cache import ResultCache
from app.contract import Classifier
from app.errors import NotReady, SettingsError, UnknownModel
from app.metrics import Metrics, ModelMetrics
from app.settings import Settings
from model.errors import ModelError

logger = logging.getLogger(__name__)


Load = Callable[[], Classifier]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded, warm classifier and its batcher."""

    name: str
    classifier: Classifier
    batcher: Batcher
    metrics: ModelMetrics


def load_checkpoint(path: Path, settings: Settings) -> Classifier:
    """Reads a checkpoint folder onto the device. Takes seconds."""
    # Imported here: it brings torch, which takes a second and which tests with a fake classifier do without.
    from model.classifier import Classifier as TorchClassifier
    from model.classifier import set_num_threads

    set_num_threads(settings.threads)
    return TorchClassifier.load(path, device=settings.device, dtype=settings.dtype)


class Models:
    """All models by name; the first is the default.

    Args:
        loaders: what loads each, in its turn.
        settings: of the server.
        metrics: told of each model that is ready.
        board: where other processes of the same server say whether they are.

    Attributes:
        failure: why loading failed, if it did. The server then never becomes ready and had better leave.
        draining: set when the process is about to leave; from then on nothing is ready.
    """

    def __init__(
        self, loaders: Mapping[str, Load], settings: Settings, metrics: Metrics, board: Board | None = None
    ) -> None:
        self.names = tuple(loaders)
        self.failure: Exception | None = None
        self.draining = False
        self._loaders = loaders
        self._settings = settings
        self._metrics = metrics
        self._board = board
        self._served: dict[str, ServedModel] = {}
        self._devices: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._tokenisers = ThreadPoolExecutor(settings.tokenise_threads, thread_name_prefix="tokenise")
        self._loading: asyncio.Task[None] | None = None
        metrics.watch_ready(lambda: self.ready)

    @property
    def tokenisers(self) -> ThreadPoolExecutor:
        """Threads for work that is too much for the event loop."""
        return self._tokenisers

    def start(self) -> None:
        """Begins to load; returns at once, so that health can be asked meanwhile."""
        self._loading = asyncio.get_running_loop().create_task(self._load_all())

    async def loaded(self) -> None:
        """Waits until loading has ended, well or badly."""
        if self._loading is not None:
            await self._loading

    async def stop(self) -> None:
        """Fails what is still under way and frees the threads."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await asyncio.gather(*(model.batcher.close() for model in self._served.values()))
        self._tokenisers.shutdown(wait=False, cancel_futures=True)

    def get(self, name: str | None) -> ServedModel:
        """The model of that name, or the default one.

        Raises:
            UnknownModel: no model is called that.
            NotReady: it is not loaded yet.
        """
        name = self.names[0] if name is None else name
        if model := self._served.get(name):
            return model
        if name in self._loaders:
            raise NotReady("The model is being loaded.", retry_after_s=1)
        raise UnknownModel("No model has this name; GET /models lists those that there are.")

    def states(self) -> dict[str, str]:
        """Of each model: `loading`, `failed`, or the state of its batcher."""
        absent = "failed" if self.failure else "loading"
        return {n: self._served[n].batcher.state if n in self._served else absent for n in self.names}

    @property
    def ready(self) -> bool:
        """Whether every model takes requests, the other processes have begun too, and the server means to stay."""
        here = all(state == "running" for state in self.states().values())
        return here and not self.draining and (self._board is None or self._board.all_loaded())

    @property
    def live(self) -> bool:
        """Whether it is worth keeping the process: false once something is beyond repair."""
        return self.failure is None and not {"broken", "stuck"} & set(self.states().values())

    async def _load_all(self) -> None:
        try:
            for name, load in self._loaders.items():
                classifier = await asyncio.to_thread(load)
                self._check(name, classifier)
                await asyncio.to_thread(classifier.warm_up)
                self._serve(name, classifier)
            # What was loaded stays. Else each full collection looks at all of PyTorch, a tenth of a second long.
            gc.collect()
            gc.freeze()
            if self._board is not None:
                self._board.note_loaded()
        except Exception as error:
            self.failure = error
            # The settings and the checkpoint are the operator's, so the message holds no text of a user.
            foreseen = isinstance(error, ModelError | SettingsError)
            logger.critical("a model could not be loaded: %s", error, exc_info=None if foreseen else error)

    def _check(self, name: str, classifier: Classifier) -> None:
        if classifier.max_tokens > self._settings.max_batch_tokens:
            raise SettingsError(
                f"The model {name} takes texts of {classifier.max_tokens} tokens, but max_batch_tokens is "
                f"{self._settings.max_batch_tokens}: its longest text would not fit into a batch."
            )

    def _serve(self, name: str, classifier: Classifier) -> None:
        metrics = self._metrics.for_model(name)
        metrics.watch_answers(classifier)
        batcher = Batcher(
            classifier,
            self._settings.batch_limits,
            metrics,
            tokenisers=self._tokenisers,
            device=self._devices[classifier.device],
            cache=ResultCache(self._settings.cache_texts),
        )
        metrics.watch_queue(lambda: batcher.admission.texts, lambda: batcher.admission.tokens)
        batcher.start()
        self._served[name] = ServedModel(name, classifier, batcher, metrics)
        self._metrics.loaded(name, classifier.version, classifier.device, classifier.dtype)
        logger.info("model ready", extra={"model": name, "version": classifier.version, "device": classifier.device})
