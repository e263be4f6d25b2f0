"""A classifier without a network, whose answers can be worked out by hand and whose failures can be arranged."""

import asyncio
import threading
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
import pytest
from fastapi import FastAPI

from app.auth.keys import new_key
from app.config.settings import OPTIONS, Settings
from app.core.classifier import Classifier
from app.main import create_app
from app.process.service import Service, build_service
from model.config import PrecisionThreshold
from model.profile import BOUNDS, Profile, Reference
from model.text import Encoded

POISON = "poison"
FATAL = "fatal"


def word_id(word: str) -> int:
    return zlib.crc32(word.encode()) % 10_000


class FakeClassifier:
    """Words are tokens. P(positive) is the mean of the words' ids over 10,000; an empty text has 0.25.

    Attributes:
        gate: clear it to hold the device.
        entered: set when a batch reaches the device.
        pads: as real ones do that compute by PyTorch.
        batches: the lengths of the texts of each call of `logits` that worked.
    """

    version = "0123456789ab"
    max_tokens = 16
    metrics: Mapping[str, Any] = {"test": {"accuracy": 0.875}}
    reference: Reference | None = None
    precision_thresholds: Sequence[PrecisionThreshold] = ()
    device = "cpu"
    dtype = "float32"
    pads = True
    vector_size = 3
    pads_vectors = True

    def __init__(self, labels: tuple[str, ...] = ("negative", "positive"), task: str = "single_label") -> None:
        self.labels = labels
        self.task = task
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []
        self.scored: list[int] = []
        self.warm = False
        self.threads: set[str] = set()

    def warm_up(self) -> None:
        self.warm = True

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        if "untokenisable" in texts:
            raise ValueError("the text is untokenisable")
        return [self._encode(text.split()) for text in texts]

    def _encode(self, words: Sequence[str]) -> Encoded:
        ids = np.array([word_id(word) for word in words[: self.max_tokens]], dtype=np.int32)
        return Encoded(ids, truncated=len(words) > self.max_tokens)

    def score(self, batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        self.entered.set()
        self.gate.wait(10)
        self.threads.add(threading.current_thread().name)
        ids = {int(i) for encoded in batch for i in encoded.ids}
        if word_id(FATAL) in ids:
            raise SystemExit("a fault that no code here foresees")
        if word_id(POISON) in ids:
            raise RuntimeError("the device choked")
        self.batches.append([encoded.num_tokens for encoded in batch])
        self.scored.extend(sorted(ids))
        positive = np.array([self.positive_of(encoded) for encoded in batch], dtype=np.float32)
        shares = np.array([1 / n for n in range(2, len(self.labels))], dtype=np.float32)
        return np.column_stack([1 - positive, positive, np.outer(positive, shares)]).astype(np.float32)

    def logits(self, batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        """In double precision, so that the probabilities come back to the last bit."""
        rows: Any = self.score(batch).astype(np.float64)
        odds = rows if self.task == "single_label" else rows / (1 - rows)
        return np.log(odds)  # type: ignore[no-any-return]

    def vectors(self, batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        """The number of words, P(positive) and 2; zeros for an empty text. As `score`, it may be held and choke."""
        positive = self.score(batch)[:, 1]
        words = np.array([encoded.num_tokens for encoded in batch], dtype=np.float32)
        rows = np.column_stack([words, positive, np.full(len(batch), 2)]) * (words > 0)[:, None]
        return rows.astype(np.float32)

    def probabilities(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        odds = np.exp(logits)
        rows: npt.NDArray[np.float32] = odds if self.task == "single_label" else odds / (1 + odds)
        return rows.astype(np.float32)

    def profile(self, batch: Sequence[Encoded], rows: npt.NDArray[np.float32]) -> Profile:
        """No word is unknown."""
        values = {"confidence": rows.max(axis=1), "length": np.array([len(encoded.ids) for encoded in batch])}
        values["unknown"] = np.zeros(len(batch))
        places = {aspect: np.searchsorted(BOUNDS[aspect], found) for aspect, found in values.items()}
        counts = {aspect: np.bincount(found, minlength=len(BOUNDS[aspect]) + 1) for aspect, found in places.items()}
        counts["label"] = np.bincount(rows.argmax(axis=1), minlength=len(self.labels) + 1)
        sums = {aspect: float(found.sum()) for aspect, found in values.items()}
        return Profile(len(batch), {aspect: found.astype(np.float64) for aspect, found in counts.items()}, sums)

    def positive_of(self, encoded: Encoded) -> float:
        return float(encoded.ids.mean()) / 10_000 if encoded.num_tokens else 0.25

    def positive(self, text: str) -> float:
        """What the server must answer, computed alone."""
        return round(float(np.float32(self.positive_of(self._encode(text.split())))), 6)


class FakeEmbedder(FakeClassifier):
    """Gives vectors alone; it must never be asked for a label."""

    version = "ba9876543210"

    def __init__(self) -> None:
        super().__init__(labels=(), task="embedding")

    def score(self, batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        return np.array([[0, self.positive_of(encoded)] for encoded in batch], dtype=np.float32)

    def logits(self, batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        raise AssertionError("an embedder has no logits")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def classifier() -> FakeClassifier:
    return FakeClassifier()


def make_settings(**values: Any) -> Settings:
    """Settings by name, whichever section they are in."""
    sections: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for name, value in ({"model": {"sentiment": Path("unused")}, "threads": 1, "tokenise_threads": 2} | values).items():
        sections[OPTIONS[name].section][name] = value
    return Settings.model_validate(sections)


class Given:
    """Finds classifiers in memory by the name of their path; a test may exchange them."""

    def __init__(self, classifiers: Mapping[str, Classifier]) -> None:
        self._classifiers = classifiers

    def version(self, path: Path) -> str:
        """Returns the version of the classifier."""
        return self._classifiers[path.name].version

    def stamp(self, path: Path) -> tuple[object, ...]:
        """Returns the identity of the classifier."""
        return (id(self._classifiers[path.name]),)

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """Returns the classifier, warmed once more."""
        classifier = self._classifiers[path.name]
        classifier.warm_up()
        return classifier


def make_app(settings: Settings, classifiers: Mapping[str, Classifier] | None = None, **options: Any) -> FastAPI:
    """An application of the checkpoints that the settings name, or of these classifiers instead."""
    if classifiers is None:
        return create_app(build_service(settings, **options))
    models = settings.models.model_copy(update={"paths": {name: Path(name) for name in classifiers}})
    settings = settings.model_copy(update={"models": models})
    return create_app(build_service(settings, Given(classifiers), **options))


def made(name: str = "search", **options: str) -> tuple[dict[str, str], str]:
    """Makes a key: headers that show it, and the line to store."""
    secret, key = new_key(name, [f"{option}={value}" for option, value in options.items()])
    return {"Authorization": f"Bearer {secret}"}, key.line()


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Waits for something that another thread does."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  # threads set no asyncio.Event
            await asyncio.sleep(0.002)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """The app after its start, whether its models are loaded or not."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://sluice") as client,
    ):
        yield client


def app_of(client: httpx2.AsyncClient) -> FastAPI:
    """The application behind a client that `serve` made."""
    transport = client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    assert isinstance(transport.app, FastAPI)
    return transport.app


def service_of(app: FastAPI | httpx2.AsyncClient) -> Service:
    """The service behind an application, or behind a client that `serve` made."""
    service = (app if isinstance(app, FastAPI) else app_of(app)).state.service
    assert isinstance(service, Service)
    return service


@asynccontextmanager
async def serve(classifier: FakeClassifier, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a ready server."""
    app = make_app(make_settings(**settings), {"sentiment": classifier})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        try:
            yield client
        finally:
            classifier.gate.set()
