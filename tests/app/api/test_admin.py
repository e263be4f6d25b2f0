"""`/admin`: models added, exchanged, tried, promoted and removed while they serve."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from model.checkpoint import save_checkpoint
from tests.app.conftest import made, make_app, make_settings, running, service_of, until
from tests.conftest import make_checkpoint

pytestmark = pytest.mark.anyio


HEADERS, KEY = made("ops", roles="predict,admin")
"""Of an administrator."""


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, not to be changed: `first`, `second`, `third` with other labels, and links out of it."""
    root = tmp_path_factory.mktemp("models") / "folder"
    save_checkpoint(root / "first", make_checkpoint(seed=0))
    save_checkpoint(root / "deeper" / "second", make_checkpoint(seed=1))
    save_checkpoint(root / "third", make_checkpoint(labels=("bad", "good")))
    save_checkpoint(root.parent / "outside", make_checkpoint(seed=3))
    (root / "out").symlink_to(root.parent / "outside")
    shutil.copytree(root / "first", root / "linked")
    (root / "linked" / "config.json").unlink()
    (root / "linked" / "config.json").symlink_to(root.parent / "outside" / "config.json")
    (root / "round").symlink_to(root / "round")
    shutil.copytree(root / "first", root / "damaged")
    (root / "damaged" / "model.safetensors").write_bytes(b"")
    return root


@pytest.fixture
async def client(checkpoints: Path) -> AsyncIterator[httpx2.AsyncClient]:
    model = {"tiny": checkpoints / "first"}
    app = make_app(make_settings(model=model, admin=True, models_folder=checkpoints, api_keys=KEY, dtype="float32"))
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        client.headers.update(HEADERS)
        yield client


async def _version(client: httpx2.AsyncClient, name: str) -> str:
    response = await client.post("/predict", json={"inputs": "a film", "model": name})
    assert response.status_code == 200
    version: str = response.json()["version"]
    return version


async def test_the_life_of_a_model(client: httpx2.AsyncClient, checkpoints: Path) -> None:
    first = await _version(client, "tiny")
    added = await client.put("/admin/models/other", json={"path": "deeper/second"})
    second = added.json()["primary"]["version"]
    assert added.json() == {
        "name": "other",
        "primary": {"path": str(checkpoints / "deeper" / "second"), "version": second},
        "candidate": None,
        "share": 0.0,
        "shadow": False,
    }
    assert await _version(client, "other") == second != first

    on_trial = await client.put("/admin/models/tiny/candidate", json={"path": "deeper/second", "share": 1})
    assert (on_trial.json()["candidate"]["version"], on_trial.json()["share"]) == (second, 1.0)
    assert await _version(client, "tiny") == second
    copied = await client.put(
        "/admin/models/tiny/candidate", json={"path": "deeper/second", "share": 1, "shadow": True}
    )
    assert copied.json()["shadow"]
    assert await _version(client, "tiny") == first
    ended = await client.delete("/admin/models/tiny/candidate")
    assert ended.json()["candidate"] is None
    await client.put("/admin/models/tiny/candidate", json={"path": "deeper/second", "share": 0})
    promoted = await client.post("/admin/models/tiny/promote")
    assert (promoted.json()["primary"]["version"], promoted.json()["candidate"]) == (second, None)
    assert await _version(client, "tiny") == second

    # Back to what the command line named, by the path that it had.
    back = await client.put("/admin/models/tiny", json={"path": str(checkpoints / "first")})
    assert back.json()["primary"]["version"] == first
    listed = (await client.get("/admin/models")).json()
    assert [model["name"] for model in listed] == ["tiny", "other"]
    assert (await client.delete("/admin/models/other")).status_code == 204
    gone = await client.post("/predict", json={"inputs": "a", "model": "other"})
    assert gone.status_code == 404
    assert 'sluice_model_info{device="cpu",dtype="float32",model="other"' not in (await client.get("/metrics")).text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "tiny", {"path": "damaged"}, 422, "checkpoint_refused"),
        ("PUT", "tiny", {"path": "nothing"}, 422, "checkpoint_refused"),
        ("PUT", "tiny", {"path": "\ud800"}, 422, "checkpoint_refused"),
        ("PUT", "tiny", {"path": "deeper"}, 422, "checkpoint_refused"),
        ("PUT", "tiny/candidate", {"path": "third", "share": 0.5}, 422, "checkpoint_refused"),
        ("PUT", "tiny/candidate", {"path": "first", "share": 1.5}, 422, "invalid_request"),
        ("PUT", "tiny/candidate", {"path": "first"}, 422, "invalid_request"),
        ("PUT", "tiny", {"path": 3}, 422, "invalid_request"),
        ("PUT", "tiny", {"path": "first", "version": "1"}, 422, "invalid_request"),
        ("PUT", "-tiny", {"path": "first"}, 422, "invalid_request"),
        ("PUT", "tiny", {"path": "x" * 70_000}, 413, "body_too_large"),
        ("PUT", "other/candidate", {"path": "first", "share": 0.5}, 404, "unknown_model"),
        ("DELETE", "other", None, 404, "unknown_model"),
        ("DELETE", "tiny", None, 409, "conflict"),
        ("DELETE", "tiny/candidate", None, 409, "conflict"),
        ("POST", "tiny/promote", None, 409, "conflict"),
        ("POST", "other/promote", None, 404, "unknown_model"),
    ],
)
async def test_what_cannot_be_done_changes_nothing_and_says_why(
    client: httpx2.AsyncClient, method: str, path: str, body: Any, status: int, code: str
) -> None:
    before = (await client.get("/admin/models")).json()
    response = await client.request(method, f"/admin/models/{path}", content=None if body is None else json.dumps(body))
    assert (response.status_code, response.json()["error_type"]) == (status, code)
    assert (await client.get("/admin/models")).json() == before


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside",
        "",
        ".",
        "/",
        "/etc",
        "first/../../outside",
        "out",
        "linked",
        "round",
        "a\0b",
        "x" * 5000,
    ],
)
async def test_nothing_outside_of_the_folder_is_loaded(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.put("/admin/models/tiny", content=json.dumps({"path": path}))
    assert response.json()["error_type"] == "path_refused"


async def test_a_refusal_says_which_file_and_not_where_it_lies(client: httpx2.AsyncClient, checkpoints: Path) -> None:
    response = await client.put("/admin/models/tiny", json={"path": "damaged"})
    assert response.json()["detail"].startswith("Nothing has changed: model.safetensors: is not the file")
    assert (await client.get("/models/tiny")).json()["last_failure"]["detail"].startswith("model.safetensors: ")
    assert str(checkpoints) not in response.text


async def test_without_a_folder_only_what_the_command_line_named(checkpoints: Path) -> None:
    model = {"tiny": checkpoints / "first"}
    app = make_app(make_settings(model=model, admin=True, api_keys=KEY, dtype="float32"))
    async with running(app) as client:
        client.headers.update(HEADERS)
        refused = await client.put("/admin/models/tiny", json={"path": str(checkpoints / "third")})
        named = await client.put("/admin/models/tiny", json={"path": str(checkpoints / "first")})
    assert (refused.status_code, named.status_code) == (403, 200)


async def test_there_is_no_admin_unless_it_is_asked_for(checkpoints: Path) -> None:
    app = make_app(make_settings(model={"tiny": checkpoints / "first"}, api_keys=KEY))
    async with running(app) as client:
        client.headers.update(HEADERS)
        assert (await client.get("/admin/models")).status_code == 404
        assert "/admin/models" not in (await client.get("/openapi.json")).text


def test_the_routes_are_documented(checkpoints: Path) -> None:
    document = make_app(make_settings(model={"tiny": checkpoints / "first"}, admin=True, api_keys=KEY)).openapi()
    admin = {path: operations for path, operations in document["paths"].items() if path.startswith("/admin")}
    assert {(path, method) for path, operations in admin.items() for method in operations} == {
        ("/admin/models", "get"),
        ("/admin/models/{name}", "put"),
        ("/admin/models/{name}", "delete"),
        ("/admin/models/{name}/candidate", "put"),
        ("/admin/models/{name}/candidate", "delete"),
        ("/admin/models/{name}/promote", "post"),
    }
    assert all(operation["tags"] == ["admin"] for operations in admin.values() for operation in operations.values())
    body = admin["/admin/models/{name}/candidate"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["required"]) == {"path", "share"}
    for path in ("/admin/models/{name}", "/admin/models/{name}/candidate"):
        assert {"400", "413", "415", "422"} <= set(admin[path]["put"]["responses"])
    assert (body["properties"]["share"]["minimum"], body["properties"]["share"]["maximum"]) == (0, 1)
    assert "HTTPValidationError" not in json.dumps(document)
