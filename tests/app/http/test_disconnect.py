import asyncio
from typing import Any

import pytest

from app.core.errors import ClientGone
from app.http.disconnect import until_client_leaves

pytestmark = pytest.mark.anyio


class Connection:
    """A client that stays until `leave` is set."""

    def __init__(self) -> None:
        self.leave = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.leave.wait()
        return {"type": "http.disconnect"}


async def test_returns_the_result_or_raises_the_error_of_the_work() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    work.set_result(3)
    assert await until_client_leaves(work, Connection().receive) == 3
    failed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError("failed"))
    with pytest.raises(ValueError, match="failed"):
        await until_client_leaves(failed, Connection().receive)


async def test_work_is_cancelled_when_the_client_leaves() -> None:
    connection = Connection()
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(until_client_leaves(work, connection.receive))
    connection.leave.set()
    with pytest.raises(ClientGone):
        await waiting
    assert work.cancelled()


async def test_work_that_ended_before_the_client_left_is_answered() -> None:
    connection = Connection()
    connection.leave.set()
    assert await until_client_leaves(asyncio.create_task(asyncio.sleep(0, "done")), connection.receive) == "done"


async def test_cancelling_the_caller_cancels_the_work() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(until_client_leaves(work, Connection().receive))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.cancelled()


async def test_no_task_of_the_watch_remains() -> None:
    connection = Connection()
    before = asyncio.all_tasks()
    await until_client_leaves(asyncio.create_task(asyncio.sleep(0.03)), connection.receive)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
