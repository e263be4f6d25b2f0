"""Tests the rates of keys, and a file of keys that changes."""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from app.auth.accounts import Account, Accounts
from app.auth.keys import Key, parse_keys
from app.core.errors import ClientGone, RateLimited
from app.core.shared import SharedFolder
from app.telemetry.metrics import Metrics
from tests.app.conftest import FakeClassifier, made, serve, service_of, until

pytestmark = pytest.mark.anyio


class Clock:
    """Clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def key(line: str) -> Key:
    (found,) = parse_keys(line, "keys")
    return found


def test_a_key_owes_what_it_takes_beyond_its_burst() -> None:
    clock, counted = Clock(), list[int]()
    account = Account(key(made(rate="16", burst="10")[1]), memoryview(bytearray(8)).cast("d"), counted.append, clock)
    for texts in (4, 5, 25):
        account.enter()
        account.classified(texts)
    with pytest.raises(RateLimited) as refused:
        account.enter()
    # 34 texts were taken, 10 were there: 25 must come back before there is one again.
    assert account.wait_s() == pytest.approx(25 / 16)
    assert refused.value.retry_after_s == 2
    clock.now += 25 / 16
    account.enter()
    with pytest.raises(RateLimited):
        account.enter()
    assert counted == [4, 5, 25]
    clock.now += 3600  # a pause saves no more than the burst
    for _ in range(10):
        account.enter()
    with pytest.raises(RateLimited):
        account.enter()


def test_a_key_without_a_rate_never_waits() -> None:
    account = Account(key(made()[1]), memoryview(bytearray(8)).cast("d"), list[int]().append)
    account.classified(1_000_000)
    assert account.wait_s() == 0


async def test_a_rate_counts_texts_and_says_when_to_come_back(classifier: FakeClassifier) -> None:
    user, line = made(rate="0.01", burst="10")
    async with serve(classifier, api_keys=line) as client:

        async def ask(texts: int) -> Any:
            return await client.post("/predict", json={"inputs": ["a"] * texts}, headers=user)

        for texts in (4, 5, 25):
            assert (await ask(texts)).status_code == 200
        refused = await ask(1)
        assert (refused.status_code, refused.json()["error_type"]) == (429, "rate_limited")
        assert 2400 < int(refused.headers["retry-after"]) <= 2500
        assert (await client.get("/health/ready")).status_code == 200
        metrics = service_of(client).metrics
        counted = dict(metrics.snapshot()["sluice_key_requests"])
        assert counted == {("search", "200"): [3], ("search", "429"): [1]}
        assert metrics.requests.key_texts.labels("search").value == 34


async def test_a_stream_goes_at_the_rate_of_its_key(classifier: FakeClassifier) -> None:
    user, line = made(rate="400", burst="64")
    async with serve(classifier, api_keys=line) as client:
        started = time.monotonic()
        body = b'{"inputs": "a b"}\n' * 320
        answer = await client.post("/predict/stream", content=body, headers=user)
        seconds = time.monotonic() - started
    assert answer.text.count('"label":"') >= 320
    assert "error" not in answer.text
    assert seconds > 0.3  # 320 texts and a request, 64 of them at once and the last group owed


async def test_who_left_while_waiting_for_the_rate_is_not_charged() -> None:
    async def look() -> None:
        raise ClientGone

    counted = list[int]()
    account = Account(key(made(rate="50", burst="1")[1]), memoryview(bytearray(8)).cast("d"), counted.append)
    account.enter()
    with pytest.raises(ClientGone):
        await account.pace(64, look)
    assert counted == []


async def test_a_changed_file_counts_and_a_broken_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (old, old_line), (new, new_line) = made("old", rate="0.01"), made("new")
    path = tmp_path / "keys"
    path.write_text(old_line)
    accounts = Accounts("", path, Metrics(), look_every_s=0.01)

    def find(headers: dict[str, str]) -> Account | None:
        return accounts.find(headers["Authorization"].removeprefix("Bearer ").encode())

    async def write(text: str, until_logged: str) -> None:
        caplog.clear()
        partial = path.with_suffix(".new")
        partial.write_text(text)
        partial.rename(path)
        await until(lambda: until_logged in caplog.text)

    watching = asyncio.create_task(accounts.watch())
    with caplog.at_level("INFO"):
        account = find(old)
        assert account is not None
        assert find(new) is None
        account.enter()
        await write(f"{old_line}\n{new_line}\n", "API keys read")
        assert find(old) is account  # what was used stays used
        for broken in ("", "new CANARY\n"):
            await write(broken, "the API keys stay as they were")
            assert find(new) is not None
            assert "CANARY" not in caplog.text
        await write(new_line, "API keys read")
        assert find(old) is None
        path.unlink()
        await until(lambda: "No such file" in caplog.text)
        assert find(new) is not None
    watching.cancel()


def test_workers_share_what_a_key_has_used(tmp_path: Path) -> None:
    (_, line), rings = made(rate="0.1", burst="10"), []
    for index in range(2):
        folder = SharedFolder(tmp_path, [0, 0], [0, 0], index)
        rings.append(Accounts(line, None, Metrics(folder), folder))
    accounts = [next(iter(ring._accounts.values())) for ring in rings]
    for _ in range(5):
        for account in accounts:
            account.enter()
    for account in accounts:
        with pytest.raises(RateLimited) as refused:
            account.enter()
        assert refused.value.retry_after_s == 10


async def test_new_keys_wait_for_room_to_share_what_they_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (_, old), (user, new) = made("old"), made("new", rate="1")
    shared, path = tmp_path / "shared", tmp_path / "keys"
    shared.mkdir()
    path.write_text(old)
    folder = SharedFolder(shared, [0], [0], 0)
    accounts = Accounts("", path, Metrics(folder), folder, look_every_s=0.01)
    number = shared / f"key-{key(new).digest.hex()[:32]}"
    number.symlink_to("/dev/full")
    watching = asyncio.create_task(accounts.watch())
    path.write_text(f"{old}\n{new}")
    await until(lambda: "the API keys stay as they were" in caplog.text)
    await asyncio.sleep(0.1)
    assert caplog.text.count("the API keys stay as they were") == 1
    assert len(accounts) == 1
    number.unlink()
    await until(lambda: len(accounts) == 2)
    assert accounts.find(user["Authorization"].removeprefix("Bearer ").encode()) is not None
    watching.cancel()


async def test_workers_share_again_when_their_files_were_removed(tmp_path: Path) -> None:
    (_, line), rings, shared = made(rate="0.1", burst="10"), list[Accounts](), tmp_path / "shared"
    for index in range(2):
        shared.mkdir(exist_ok=True)
        folder = SharedFolder(shared, [0, 0], [0, 0], index)
        rings.append(Accounts(line, None, Metrics(folder), folder, look_every_s=0.01))
        if index == 0:
            account = next(iter(rings[0]._accounts.values()))
            for _ in range(5):
                account.enter()
            shutil.rmtree(shared)
    watching = [asyncio.create_task(ring.watch()) for ring in rings]
    first, second = ([*ring._accounts] for ring in rings)
    used = rings[0]._accounts[first[0]].paid_until[0]
    await until(lambda: rings[1]._accounts[second[0]].paid_until[0] == used)
    rings[1]._accounts[second[0]].enter()
    assert rings[0]._accounts[first[0]].paid_until[0] == pytest.approx(used + 10)
    for task in watching:
        task.cancel()
