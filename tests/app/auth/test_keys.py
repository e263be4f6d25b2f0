"""Who may ask for what, and how much: keys as they stand in a file, and what a server does with them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.__main__ import cli
from app.auth.accounts import Accounts
from app.auth.keys import PREFIX, digest_of, new_key, parse_keys, read_keys
from app.config.settings import SettingsError
from app.core.errors import RateLimited
from app.core.shared import Board
from app.telemetry.metrics import Metrics
from tests.app.conftest import FakeClassifier, make_app, make_settings, serve, service_of, until

pytestmark = pytest.mark.anyio

HASH = "sha256:" + "0" * 64


def made(name: str = "search", **options: str) -> tuple[dict[str, str], str]:
    """The headers of whoever has a new key, and the line to store."""
    secret, key = new_key(name, [f"{option}={value}" for option, value in options.items()])
    return {"Authorization": f"Bearer {secret}"}, key.line()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", None),
        ("# a note", None),
        (f"search {HASH}", None),
        (f"search {HASH} roles=predict,admin rate=0.5 burst=10", None),
        (f"bad/name {HASH}", "a key begins with its name"),
        ("search CANARY", "not the key itself"),
        ("search", "not the key itself"),
        (f"search {HASH} CANARY", "after the hash come roles=…, rate=… and burst=…"),
        (f"search {HASH} rate=1 rate=2", "each at most once"),
        (f"search {HASH} roles=CANARY", "roles are predict, metrics, admin"),
        (f"search {HASH} rate=CANARY", "rate must be a number above 0"),
        (f"search {HASH} rate=0", "rate must be a number above 0"),
        (f"search {HASH} rate=-1", "rate must be a number above 0"),
        (f"search {HASH} burst=5", "burst is given without rate"),
        (f"search {HASH} rate=5 burst=0.5", "burst is below 1"),
    ],
)
def test_a_wrong_line_is_named_and_not_shown(line: str, sentence: str | None) -> None:
    if sentence is None:
        assert len(parse_keys(line, "keys")) == line.startswith("search")
        return
    with pytest.raises(SettingsError) as error:
        parse_keys(f"\n{line}", "keys")
    assert "keys line 2" in str(error.value)
    assert sentence in str(error.value)
    assert "CANARY" not in str(error.value)


def test_what_cannot_be_read_or_is_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_keys("", path)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="it is not UTF-8"):
        read_keys("", path)
    path.write_text("# nothing yet\n")
    with pytest.raises(SettingsError, match="holds no key"):
        read_keys("", path)
    path.write_text(f"search {HASH}\n")
    with pytest.raises(SettingsError, match="The name of the API key search is given twice"):
        read_keys(f"search sha256:{'1' * 64}", path)
    with pytest.raises(SettingsError, match="The secret of the API key other is given twice"):
        read_keys(f"other {HASH}", path)
    assert [key.name for key in read_keys(f"a sha256:{'1' * 64}; b sha256:{'2' * 64}", path)] == ["a", "b", "search"]


def test_the_command_prints_a_secret_once_and_the_line_to_store() -> None:
    done = CliRunner().invoke(cli, ["key", "search", "--role", "predict", "--role", "admin", "--rate", "50"])
    assert done.exit_code == 0
    secret = done.stderr.split()[-1]
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43  # 256 bits
    (key,) = parse_keys(done.stdout, "keys")
    assert (key.name, key.roles, key.rate, key.burst) == ("search", frozenset({"predict", "admin"}), 50.0, 50.0)
    assert key.digest == digest_of(secret.encode())
    assert secret not in done.stdout
    assert CliRunner().invoke(cli, ["key", "search", "--rate", "much"]).exit_code == 2


@pytest.mark.parametrize("rate", ["0.000001", "0.5", "10", "1234567.25", "999999999"])
def test_what_is_printed_can_be_read(rate: str) -> None:
    _, line = made(rate=rate)
    (key,) = parse_keys(line, "keys")
    assert key.rate == float(rate)
    assert key.line() == line


async def test_each_route_wants_its_role(classifier: FakeClassifier) -> None:
    (user, a), (scraper, b), (admin, c) = made("user"), made("scraper", roles="metrics"), made("chief", roles="admin")
    async with serve(classifier, api_keys=f"{a};{b};{c}") as client:
        body = {"inputs": "a"}
        for path in ("/health", "/health/live", "/health/ready", "/ping", "/v2/health/ready", "/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 200, path
        for headers, predict, metrics, manage in (
            ({}, 401, 401, 401),
            ({"Authorization": "Bearer sluice_wrong"}, 401, 401, 401),
            ({"Authorization": "Basic dXNlcjpwdw=="}, 401, 401, 401),
            (user, 200, 403, 403),
            (scraper, 403, 200, 403),
            (admin, 403, 403, 404),
            ({"X-API-Key": user["Authorization"][7:], "Authorization": "Basic dXNlcjpwdw=="}, 200, 403, 403),
            ({"X-API-Key": "wrong"} | user, 401, 401, 401),
            ({"Authorization": user["Authorization"].replace("Bearer", "bearer ")}, 200, 403, 403),
        ):
            assert (await client.post("/predict", json=body, headers=headers)).status_code == predict, headers
            assert (await client.get("/models", headers=headers)).status_code == predict, headers
            assert (await client.get("/metrics", headers=headers)).status_code == metrics, headers
            assert (await client.post("/admin/models", headers=headers)).status_code == manage, headers
        # What there is not is no secret to be told to those without a key.
        assert (await client.get("/nothing/here")).status_code == 401
        assert (await client.post("/", json=body)).status_code == 401
        refused = await client.post("/predict", json=body)
        assert refused.json()["error_type"] == "unauthorized"
        assert refused.headers["www-authenticate"] == 'Bearer realm="sluice"'
        assert refused.headers["x-request-id"]
        of_v2 = await client.get("/v2/models/sentiment")
        assert (of_v2.status_code, set(of_v2.json())) == (401, {"error"})


async def test_without_keys_all_is_open_but_administration(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        assert (await client.post("/predict", json={"inputs": "a"}, headers={"X-API-Key": "any"})).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        for path in ("/admin", "/admin/models", "/admin/"):
            refused = await client.post(path, headers={"X-API-Key": "any"})
            assert (refused.status_code, refused.json()["error_type"]) == (403, "forbidden")
        assert (await client.get("/administration")).status_code == 404


async def test_metrics_can_be_public(classifier: FakeClassifier) -> None:
    async with serve(classifier, api_keys=made()[1], public_metrics=True) as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/models")).status_code == 401


async def test_a_prefix_hides_no_route_from_its_role(classifier: FakeClassifier) -> None:
    user, line = made()
    async with serve(classifier, api_keys=line, root_path="/api") as client:
        for path in ("/api/admin/models", "/admin/models", "/api/admin"):
            assert (await client.post(path, headers=user)).status_code == 403, path
        assert (await client.get("/api/metrics", headers=user)).status_code == 403
        assert (await client.post("/api/api/admin/models", headers=user)).status_code == 404
        for path in ("/api/predict", "/predict"):
            assert (await client.post(path, json={"inputs": "a"}, headers=user)).status_code == 200, path
            assert (await client.post(path, json={"inputs": "a"})).status_code == 401, path
        assert (await client.get("/api/health/ready")).status_code == 200
        assert "/api/openapi.json" in (await client.get("/api/docs")).text
        assert (await client.get("/api/openapi.json")).json()["servers"] == [{"url": "/api"}]


async def test_a_rate_counts_texts_and_says_when_to_come_back(classifier: FakeClassifier) -> None:
    user, line = made(rate="20", burst="10")
    async with serve(classifier, api_keys=line) as client:

        async def ask(texts: int) -> Any:
            return await client.post("/predict", json={"inputs": ["a"] * texts}, headers=user)

        assert (await ask(4)).status_code == 200
        assert (await ask(5)).status_code == 200
        assert (await ask(25)).status_code == 200  # more than is left: what is missing is owed
        refused = await ask(1)
        assert (refused.status_code, refused.json()["error_type"]) == (429, "rate_limited")
        # 34 texts were taken, 10 were there: 25 must come back before there is one again.
        assert refused.headers["retry-after"] == "2"
        assert (await client.get("/health/ready")).status_code == 200
        # Honest: who comes back then is served.
        time.sleep(1.3)  # noqa: ASYNC251 - nothing else is to happen
        assert (await ask(1)).status_code == 200
        metrics = service_of(client).metrics
        counted = {labels: child.value for labels, child in metrics.key_requests._children.items()}
        assert counted == {("search", "200"): 4, ("search", "429"): 1}
        assert metrics.key_texts.of("search").value == 35


async def test_a_stream_goes_at_the_rate_of_its_key(classifier: FakeClassifier) -> None:
    user, line = made(rate="400", burst="64")
    async with serve(classifier, api_keys=line) as client:
        started = time.monotonic()
        body = b'{"inputs": "a b"}\n' * 320
        answer = await client.post("/predict/stream", content=body, headers=user)
        seconds = time.monotonic() - started
    assert answer.text.count('"label":"') >= 320
    assert "error" not in answer.text
    assert 0.3 < seconds < 3  # 320 texts and a request, 64 of them at once and the last group owed


async def test_a_changed_file_counts_and_a_broken_one_changes_nothing(
    classifier: FakeClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.auth.accounts.LOOK_EVERY_S", 0.01)
    (old, old_line), (new, new_line) = made("old", rate="1"), made("new")
    path = tmp_path / "keys"
    path.write_text(old_line)
    async with serve(classifier, api_keys_file=path) as client:

        async def status(headers: dict[str, str]) -> int:
            answer = await client.post("/predict", json={"inputs": "a"}, headers=headers)
            return int(answer.status_code)

        def write(text: str, until_logged: str) -> Any:
            caplog.clear()
            partial = path.with_suffix(".new")
            partial.write_text(text)
            partial.rename(path)
            return until(lambda: until_logged in caplog.text)

        with caplog.at_level("INFO"):
            assert [await status(old), await status(new)] == [200, 401]
            await write(f"{old_line}\n{new_line}\n", "API keys read")
            assert [await status(old), await status(new)] == [429, 200]  # what was used stays used
            for broken in ("", "new CANARY\n"):
                await write(broken, "the API keys stay as they were")
                assert await status(new) == 200
                assert "CANARY" not in caplog.text
            await write(new_line, "API keys read")
            assert [await status(old), await status(new)] == [401, 200]
            path.unlink()
            await until(lambda: "No such file" in caplog.text)
            assert await status(new) == 200


def test_workers_share_what_a_key_has_used(tmp_path: Path) -> None:
    (_, line), rings = made(rate="0.1", burst="10"), []
    for index in range(2):
        board = Board(tmp_path, [0, 0], index)
        rings.append(Accounts(line, None, Metrics(board), board))
    accounts = [next(iter(ring._accounts.values())) for ring in rings]
    for _ in range(5):
        for account in accounts:
            account.enter()
    for account in accounts:
        with pytest.raises(RateLimited) as refused:
            account.enter()
        assert refused.value.retry_after_s == 10


def test_the_document_says_what_needs_a_key() -> None:
    document = make_app(make_settings(api_keys=made()[1]), {"sentiment": FakeClassifier()}).openapi()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    predict = document["paths"]["/predict"]["post"]
    assert predict["security"] == [{"bearer": []}, {"header": []}]
    assert {"401", "403", "429"} <= set(predict["responses"])
    assert document["paths"]["/health/ready"]["get"]["security"] == []
    of_v2 = document["paths"]["/v2/models/{name}/infer"]["post"]["responses"]["401"]["content"]
    assert of_v2["application/json"]["schema"] == {"$ref": "#/components/schemas/V2Error"}
    plain = make_app(make_settings(), {"sentiment": FakeClassifier()}).openapi()
    assert "securitySchemes" not in json.dumps(plain)
