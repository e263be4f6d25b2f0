"""Models exchanged while requests go on: what takes over, what stays, and what is refused."""

import asyncio
import dataclasses
import gc
import json
import logging
import shutil
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.core.errors import ServiceError
from app.core.plan import Candidate, Plan, Source
from app.core.shared import SharedFolder
from app.deployment.deployer import Deployer
from app.deployment.plans import published_plans, write_plan
from app.deployment.registry import Refusal, Registry
from model.checkpoint import FILES, save_checkpoint
from model.folder import DIGESTS
from tests.app.conftest import FakeClassifier, make_app, make_settings, running, service_of, until
from tests.conftest import make_checkpoint

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint folder that a test may change."""
    save_checkpoint(tmp_path / "tiny", make_checkpoint(seed=0))
    return tmp_path / "tiny"


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A ready server of a real checkpoint."""
    app = make_app(make_settings(model={"tiny": folder}, dtype="float32", **settings))
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        yield client


@asynccontextmanager
async def faked(classifiers: dict[str, FakeClassifier], **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A ready server of classifiers that the test may exchange."""
    app = make_app(make_settings(**settings), classifiers)
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        yield client


def registry_of(client: httpx2.AsyncClient) -> Registry:
    registry: Registry = service_of(client).registry
    return registry


def refusal_of(client: httpx2.AsyncClient) -> Refusal | None:
    """Refusal of the only model."""
    (deployment,) = registry_of(client).entries
    return deployment.refusal


async def reload(client: httpx2.AsyncClient) -> None:
    deployer: Deployer = service_of(client).deployer
    await deployer._reload(insist=True)


async def ask(client: httpx2.AsyncClient, text: str = "a good film", **fields: Any) -> dict[str, Any]:
    response = await client.post("/predict", json={"inputs": text, **fields})
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    assert response.headers["x-model-version"] == answer["version"]
    return answer


async def test_a_signal_tells_of_each_model_that_it_is_unchanged_or_replaced(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(folder) as client:
        version = registry_of(client).get("tiny").version
        caplog.clear()
        _altered(folder / "config.json")
        await reload(client)
        (line,) = caplog.records
        found = (line.getMessage(), line.__dict__["model"], line.__dict__["version"])
        assert found == ("a model is unchanged, by its SHA256SUMS", "tiny", version)
        caplog.clear()
        version = save_checkpoint(folder, make_checkpoint(seed=1))
        await reload(client)
        assert ("model ready", version) in [(r.getMessage(), r.__dict__.get("version")) for r in caplog.records]
        caplog.clear()
        await service_of(client).deployer._reload()  # a look from time to time
        assert not [r for r in caplog.records if "unchanged" in r.getMessage()]  # the one before may retire meanwhile


async def test_another_version_takes_over_and_the_same_changes_nothing(folder: Path) -> None:
    async with serving(folder) as client:
        before = await ask(client)
        served = registry_of(client).get("tiny")
        await reload(client)
        assert registry_of(client).get("tiny") is served
        version = save_checkpoint(folder, make_checkpoint(seed=1))
        await reload(client)
        after = await ask(client)
        metrics = (await client.get("/metrics")).text
    assert after["version"] == version != before["version"]
    assert after["predictions"] != before["predictions"]
    assert 'sluice_reloads_total{model="tiny",outcome="loaded"} 1.0' in metrics
    assert f'sluice_version_requests_total{{model="tiny",version="{version}"}} 1.0' in metrics
    assert f'sluice_model_info{{device="cpu",dtype="float32",model="tiny",version="{version}"}} 1.0' in metrics
    assert f'version="{before["version"]}"}} 1.0' in metrics  # what it has counted stays
    assert metrics.count("sluice_model_info{") == 1


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _altered(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2] + b"~\n")


def _without_digest(path: Path) -> None:
    lines = (path.parent / DIGESTS).read_text().splitlines(keepends=True)
    (path.parent / DIGESTS).write_text("".join(line for line in lines if path.name not in line))


DAMAGES: list[Callable[[Path], None]] = [Path.unlink, _truncated, _altered, _without_digest]


async def test_a_checkpoint_damaged_in_any_file_changes_nothing_and_says_why(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = tmp_path / "good"
    save_checkpoint(good, make_checkpoint(seed=1))
    failure = None
    async with serving(folder) as client:
        before = await ask(client)
        for damage in DAMAGES:
            for name in FILES:
                shutil.rmtree(folder)
                shutil.copytree(good, folder)
                damage(folder / name)
                await reload(client)
                assert await ask(client) == before
                failure = (await client.get("/models/tiny")).json()["last_failure"]
                assert failure["detail"].startswith(f"{DIGESTS if damage is _without_digest else name}: ")
        assert str(folder) not in json.dumps(failure)
        assert str(folder) in str(caplog.records[-1].__dict__["cause"])
        assert (await client.get("/health/ready")).status_code == 200
        refused = f'sluice_reloads_total{{model="tiny",outcome="refused"}} {len(DAMAGES) * len(FILES)}.0'
        assert refused in (await client.get("/metrics")).text
        shutil.rmtree(folder)
        await reload(client)
        assert await ask(client) == before
        shutil.copytree(good, folder)
        await reload(client)
        card = (await client.get("/models/tiny")).json()
    assert card["last_failure"] is None
    assert card["version"] != before["version"]


async def test_a_checkpoint_exchanged_while_it_is_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(folder) as client:
        before = await ask(client)
        save_checkpoint(folder, make_checkpoint(seed=1))
        read = Path.read_bytes

        def read_and_exchange(path: Path) -> bytes:
            content = read(path)
            if path.name == "config.json":
                save_checkpoint(folder, make_checkpoint(seed=2))
            return content

        monkeypatch.setattr(Path, "read_bytes", read_and_exchange)
        await reload(client)
        monkeypatch.undo()
        assert await ask(client) == before
        detail = (await client.get("/models/tiny")).json()["last_failure"]["detail"]
        assert detail.startswith("model.safetensors: is not the file that was saved")
        await reload(client)
        assert (await ask(client))["version"] != before["version"]


async def test_what_is_in_flight_is_finished_by_the_old_version(classifier: FakeClassifier) -> None:
    newer = FakeClassifier()
    newer.version = "ba9876543210"
    classifiers = {"sentiment": classifier}
    async with faked(classifiers) as client:
        classifier.gate.clear()
        held = asyncio.create_task(ask(client, "in flight"))
        await until(classifier.entered.is_set)
        classifiers["sentiment"] = newer
        await reload(client)
        card = (await client.get("/models/sentiment")).json()
        assert [version["role"] for version in card["versions"]] == ["primary", "retiring"]
        assert not held.done()
        classifier.gate.set()  # the device is shared: the new version waits for its turn
        assert (await ask(client))["version"] == newer.version
        assert (await held)["version"] == classifier.version
        await until(lambda: not registry_of(client).deployment("sentiment").retiring)


async def test_a_stream_is_finished_by_the_version_that_it_began_with(classifier: FakeClassifier) -> None:
    newer = FakeClassifier()
    newer.version = "ba9876543210"
    classifiers = {"sentiment": classifier}
    reloaded = asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield b'{"inputs": "a"}\n'
        await reloaded.wait()
        yield b'{"inputs": "b"}\n'

    async with faked(classifiers) as client:
        answering = asyncio.create_task(client.post("/predict/stream", content=lines()))
        await until(classifier.entered.is_set)
        classifiers["sentiment"] = newer
        await reload(client)
        await asyncio.sleep(0.1)  # longer than a version without work stays
        assert len(registry_of(client).deployment("sentiment").retiring) == 1
        reloaded.set()
        answer = await answering
        await until(lambda: not registry_of(client).deployment("sentiment").retiring)
    assert answer.headers["x-model-version"] == classifier.version
    scores = [json.loads(line)["scores"] for line in answer.text.splitlines()]
    assert [max(s["score"] for s in each if s["label"] == "positive") for each in scores] == [
        classifier.positive("a"),
        classifier.positive("b"),
    ]


async def test_a_replaced_classifier_is_freed_without_the_collector(folder: Path) -> None:
    async with serving(folder) as client:
        await ask(client)
        gone = weakref.ref(registry_of(client).get("tiny").classifier)
        save_checkpoint(folder, make_checkpoint(seed=1))
        gc.disable()  # what was frozen at the start is never looked at again
        try:
            await reload(client)
            await until(lambda: gone() is None)
        finally:
            gc.enable()


async def test_folders_are_watched_and_half_a_copy_is_told_once(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "copy"
    version = save_checkpoint(copy, make_checkpoint(seed=1))
    async with serving(folder, watch_s=0.1) as client:
        before = await ask(client)
        caplog.set_level(logging.ERROR, "app.deployment.deployer")
        shutil.copy(copy / DIGESTS, folder)
        await until(lambda: refusal_of(client) is not None)
        for _ in range(4):
            (folder / "config.json").touch()  # so that it is tried again
            await asyncio.sleep(0.05)
        assert await ask(client) == before
        assert len(caplog.records) == 1
        for name in FILES:
            shutil.copy(copy / name, folder)
        await until(lambda: registry_of(client).get("tiny").version == version)
        assert refusal_of(client) is None


async def test_what_was_refused_is_not_loaded_again_and_again(classifier: FakeClassifier) -> None:
    broken = FakeClassifier()
    broken.version = "ba9876543210"
    broken.max_tokens = 1 << 20
    classifiers = {"sentiment": classifier}
    async with faked(classifiers, watch_s=0.1) as client:
        classifiers["sentiment"] = broken
        await until(lambda: refusal_of(client) is not None)
        refusal = refusal_of(client)
        assert refusal is not None
        assert "its longest text would not fit into a batch" in refusal.detail
        await asyncio.sleep(0.1)
        assert refusal_of(client) is refusal
        assert (await ask(client))["version"] == classifier.version


async def test_a_canary_answers_its_share_and_says_so(folder: Path, tmp_path: Path) -> None:
    version = save_checkpoint(tmp_path / "second", make_checkpoint(seed=1))
    async with serving(folder, canary=f"tiny={tmp_path / 'second'}@0.5") as client:
        answers = [await ask(client) for _ in range(100)]
        first = registry_of(client).deployment("tiny").primary.version
        card = (await client.get("/models/tiny")).json()
        metadata = (await client.get("/v2/models/tiny")).json()
        body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a good film"]}]}
        by_version = {
            wanted: (await client.post(f"/v2/models/tiny/versions/{wanted}/infer", json=body)).json()
            for wanted in (first, version)
        }
        unknown = await client.post("/v2/models/tiny/versions/000000000000/infer", json=body)
        metrics = (await client.get("/metrics")).text
    counts = {known: sum(answer["version"] == known for answer in answers) for known in (first, version)}
    assert sum(counts.values()) == 100
    assert 20 <= counts[version] <= 80  # outside of it once in 10^10 runs
    for known in counts:
        of_it = [answer["predictions"][0]["scores"] for answer in answers if answer["version"] == known]
        assert all(scores == of_it[0] for scores in of_it)
        assert by_version[known]["model_version"] == known
    assert [(v["version"], v["role"], v["share"]) for v in card["versions"]] == [
        (first, "primary", 0.5),
        (version, "canary", 0.5),
    ]
    assert metadata["versions"] == [first, version]
    assert unknown.status_code == 404
    assert f'sluice_version_texts_total{{model="tiny",version="{version}"}} {counts[version] + 1}.0' in metrics
    assert f'sluice_version_share{{model="tiny",version="{version}"}} 0.5' in metrics


async def test_a_canary_that_is_broken_gets_no_requests(folder: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "second", make_checkpoint(seed=1))
    async with serving(folder, canary=f"tiny={tmp_path / 'second'}@1") as client:
        deployment = registry_of(client).deployment("tiny")
        assert deployment.candidate is not None
        deployment.candidate.batcher.thread.give_up()
        assert (await ask(client))["version"] == deployment.primary.version
        assert (await client.get("/health/ready")).status_code == 200


async def test_versions_side_by_side_must_have_the_same_labels(folder: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "other", make_checkpoint(labels=("bad", "good")))
    app = make_app(make_settings(model={"tiny": folder}, shadow=f"tiny={tmp_path / 'other'}@1"))
    async with running(app):
        await until(lambda: service_of(app).registry.failure is not None)
    assert str(service_of(app).registry.failure) == (
        "The versions of tiny have different labels; side by side they need the same."
    )


async def test_what_a_checkpoint_says_of_itself_counts(folder: Path) -> None:
    async with serving(folder) as client:
        checkpoint = make_checkpoint(seed=0)
        cooler = checkpoint.config.model_copy(update={"temperature": 3.0})
        before = await ask(client)
        save_checkpoint(folder, dataclasses.replace(checkpoint, config=cooler))
        await reload(client)
        after = await ask(client)
    assert after["version"] != before["version"]
    assert after["predictions"][0]["score"] < before["predictions"][0]["score"]


def _of_several(folder: Path, shared: Path, index: int, loaded: list[int]) -> FastAPI:
    shared.mkdir(exist_ok=True)
    settings = make_settings(model={"tiny": folder}, dtype="float32")
    return make_app(settings, folder=SharedFolder(shared, loaded, [0, 0], index))


async def test_processes_follow_each_other_and_one_that_comes_later_too(folder: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "second", make_checkpoint(seed=1))
    shared, loaded = tmp_path / "shared", [0, 0, 1]
    one, two, late = (_of_several(folder, shared, index, loaded) for index in range(3))
    async with running(one), running(two):
        await until(lambda: bool(service_of(one).registry.ready and service_of(two).registry.ready))
        await service_of(one).deployer.change("other", lambda _: Plan(Source(str(tmp_path / "second"))))
        await until(lambda: list(service_of(two).registry.plans) == ["tiny", "other"])
        async with running(late):
            await until(lambda: bool(service_of(late).registry.ready))
            assert list(service_of(late).registry.plans) == ["tiny", "other"]
        await service_of(two).deployer.change("other", lambda _: None)
        await until(lambda: list(service_of(one).registry.plans) == ["tiny"])

        # One that cannot follow now does so when it can.
        assert write_plan(SharedFolder(shared, loaded, [0, 0], 0), "new", Plan(Source(str(tmp_path / "new"))), {})
        await until(lambda: all(service_of(app).registry.entry("new").refusal for app in (one, two)))
        assert service_of(one).registry.ready
        save_checkpoint(tmp_path / "new", make_checkpoint(seed=2))
        await until(lambda: all(service_of(app).registry.entry("new").versions for app in (one, two)))


async def test_a_folder_that_holds_another_version_than_planned_is_told(
    classifier: FakeClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    """As where somebody changed it before this process could follow another one."""
    async with faked({"sentiment": classifier}) as client:
        plan = Plan(Source("sentiment", "ba9876543210"))
        await service_of(client).deployer._apply(registry_of(client).entry("sentiment"), plan)
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage() == "a folder holds another version than planned; SIGHUP loads it in all workers"
    assert (line.__dict__["planned"], line.__dict__["version"]) == ("ba9876543210", classifier.version)


async def test_a_change_is_computed_anew_if_another_process_was_first(
    classifier: FakeClassifier, tmp_path: Path
) -> None:
    """Two processes that change one name at a time: neither change is undone."""
    second = FakeClassifier()
    second.version = "ba9876543210"
    shared = SharedFolder(tmp_path, [0], [0], 0)
    app = make_app(make_settings(), classifiers := {"sentiment": classifier}, folder=shared)
    async with running(app):
        await until(lambda: bool(service_of(app).registry.ready))
        classifiers["second"] = second
        before = service_of(app).registry.plans
        theirs = Plan(Source("second", second.version))
        seen: list[Plan | None] = []

        def change(plan: Plan | None) -> Plan:
            if not seen:
                assert write_plan(shared, "sentiment", theirs, before)
            seen.append(plan)
            assert plan is not None
            return Plan(plan.primary, Candidate(Source("sentiment"), 0.1))

        plan = await service_of(app).deployer.change("sentiment", change)
        assert seen == [before["sentiment"], theirs]
        assert plan == Plan(theirs.primary, Candidate(before["sentiment"].primary, 0.1))
        assert published_plans(shared) == {"sentiment": plan}
        assert not write_plan(shared, "sentiment", None, before)
        assert published_plans(shared) == {"sentiment": plan}


async def test_a_change_that_the_others_cannot_be_told_is_refused(folder: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "second", make_checkpoint(seed=1))
    app = _of_several(folder, tmp_path / "shared", 0, [0])
    (tmp_path / "shared" / "plans.partial").symlink_to("/dev/full")
    async with running(app):
        await until(lambda: bool(service_of(app).registry.ready))
        before = service_of(app).registry.plans
        with pytest.raises(ServiceError, match=r"No space left on device\. Nothing has changed"):
            await service_of(app).deployer.change("tiny", lambda _: Plan(Source(str(tmp_path / "second"))))
        assert service_of(app).registry.plans == before
        assert service_of(app).registry.get("tiny").version == before["tiny"].primary.version
