import pytest

from app.process.concurrency import BURST_S, CALM_S, HELD_PART, HOLD_S, ConcurrencyLimit
from app.telemetry.metrics import Metrics

ROUTES = (
    *("/predict", "/", "/classify", "/v1/classify"),
    *("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"),
)


@pytest.fixture
def limit() -> ConcurrencyLimit:
    limit = ConcurrencyLimit(2)
    limit.watch(ROUTES, Metrics().requests.refused)
    return limit


def fill(limit: ConcurrencyLimit, number: int) -> None:
    for _ in range(number):
        limit.enter()


def test_a_burst_is_served_and_a_flood_is_not(limit: ConcurrencyLimit) -> None:
    assert limit.admits(100.0)
    fill(limit, 5)
    assert limit.admits(100.0 + BURST_S / 2)
    assert not limit.admits(100.0 + 2 * BURST_S)


def test_room_admits_at_any_time(limit: ConcurrencyLimit) -> None:
    fill(limit, 1)
    assert limit.admits(100.0)
    assert limit.admits(200.0)


def test_after_a_refusal_the_bound_holds_until_it_is_calm(limit: ConcurrencyLimit) -> None:
    refusal = limit.refusal_for(b"/predict")
    assert refusal is not None
    limit.count(refusal, 100.0)
    assert limit.admits(100.1)  # it has room, but begins no burst
    fill(limit, 2)
    assert not limit.admits(100.2)
    assert not limit.admits(100.1 + CALM_S)
    limit.under_way = 0
    assert limit.admits(100.1 + CALM_S)
    fill(limit, 3)
    assert limit.admits(100.1 + CALM_S + BURST_S / 2)


def test_a_flood_is_held_at_a_part_of_the_bound_for_a_while() -> None:
    limit = ConcurrencyLimit(8 * HELD_PART)
    limit.watch(ROUTES, Metrics().requests.refused)
    refusal = limit.refusal_for(b"/predict")
    assert refusal is not None
    fill(limit, 8)
    limit.count(refusal, 100.0)
    assert not limit.admits(100.1)
    limit.count(refusal, 100.0 + HOLD_S / 2)  # does not prolong it
    # Clients that are fewer than the bound and ask again at once are served from here on.
    assert limit.admits(100.0 + HOLD_S)
    fill(limit, 8 * HELD_PART - 9)
    assert limit.admits(100.0 + HOLD_S)
    fill(limit, 1)
    assert not limit.admits(100.0 + HOLD_S)


def test_connections_that_wait_are_shed_and_what_was_read_is_served(limit: ConcurrencyLimit) -> None:
    assert limit.excess(100.0) <= 0
    fill(limit, 1)
    limit.waiting = 4
    assert limit.excess(100.0 + BURST_S / 2) <= 0
    assert limit.excess(101.0) == 3
    assert limit.admits(101.0)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        (b"/predict", b'"error_type":"overloaded"'),
        (b"/predict?a=/b", b'"error_type":"overloaded"'),
        (b"/behind/a/proxy/predict", b'"error_type":"overloaded"'),
        (b"/", b'"error_type":"overloaded"'),
        (b"/v2/models/a/versions/1/infer", b'{"error":"The server is busy; try again later."}'),
    ],
)
def test_a_refusal_has_the_form_of_the_route(limit: ConcurrencyLimit, url: bytes, form: bytes) -> None:
    refusal = limit.refusal_for(url)
    assert refusal is not None
    for answer in (refusal.kept, refusal.closing):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: 1\r\n" in head + b"\r\n"
        assert f"\r\ncontent-length: {len(body)}\r\n".encode() in head + b"\r\n"
        assert form in body
    assert b"connection: close" in refusal.closing
    assert b"connection" not in refusal.kept


@pytest.mark.parametrize("url", [b"/explain", b"/predict/stream", b"/predict/", b"/v2/models/a/load", b"/admin/models"])
def test_other_routes_have_no_bound(url: bytes) -> None:
    limit = ConcurrencyLimit(1)
    limit.watch(["/predict"], Metrics().requests.refused)
    assert limit.refusal_for(url) is None


@pytest.mark.parametrize(
    ("url", "route"),
    [
        (b"/predict", "/predict"),
        (b"/classify", "/classify"),
        (b"/v1/classify", "/v1/classify"),
        (b"/prefix/v1/classify?a=/predict", "/v1/classify"),
        (b"http://host/classify", "/classify"),
        (b"/v2/models/a/infer", "/v2/models/{name}/infer"),
        (b"/prefix/v2/models/a/versions/1/infer", "/v2/models/{name}/versions/{version}/infer"),
    ],
)
def test_refusals_are_counted_by_route(url: bytes, route: str) -> None:
    metrics = Metrics()
    limit = ConcurrencyLimit(1)
    limit.watch(ROUTES, metrics.requests.refused)
    refusal = limit.refusal_for(url)
    assert refusal is not None
    limit.count(refusal, 100.0)
    limit.count(refusal, 100.0)
    assert metrics.requests.refused(route).value == 2
    assert (limit.take_refused(), limit.take_refused()) == (2, 0)
