"""Whose trace a request is part of, and what a collector gets to see of it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.config.settings import Settings, SettingsError
from app.telemetry.tracing import Parent, check_installed
from tests.app.process.test_server import ROOT, process, wait_ready

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", True),
        (f"00-{TRACE}-{SPAN}-01-more", False),
        (f"cc-{TRACE}-{SPAN}-01-more", True),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE}-{SPAN}", False),
        (f"00-{TRACE}-{SPAN}-01\n", False),
        ("", False),
    ],
)
def test_what_a_traceparent_looks_like(header: str, known: bool) -> None:
    parent = Parent.parse(header.encode())
    assert (parent is not None) == known
    if parent is not None:
        assert (parent.trace_id, parent.span_id) == (TRACE, SPAN)
        assert parent.sampled == ("-01" in header)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"SLUICE_OTEL_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"SLUICE_OTEL_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"SLUICE_OTEL_ENDPOINT": "https://c/otlp/v1/traces"}, "https://c/otlp/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c/otlp"}, "http://c/otlp/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d/t"}, "http://d/t"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "SLUICE_OTEL_ENDPOINT": "http://d"}, "http://d/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317", "SLUICE_OTEL_ENDPOINT": "http://d"}, "http://d/v1/traces"),
    ],
)
def test_where_traces_go(environ: dict[str, str], endpoint: str | None) -> None:
    assert Settings.from_env(environ).telemetry.otel_endpoint == endpoint


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("collector:4318", "must be the URL of a collector"),
        ("http://c:99999", "port out of range"),
        ("http://me:pw@c:4318", "must hold no secret"),
    ],
)
@pytest.mark.parametrize("variable", ["SLUICE_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_an_endpoint_that_cannot_be_one(variable: str, endpoint: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=rf"(?i){variable}\)?: {sentence}") as raised:
        Settings.from_env({variable: endpoint})
    assert "pw" not in str(raised.value)
    assert ("SLUICE" in str(raised.value)) == variable.startswith("SLUICE")


def test_a_missing_package_is_a_sentence(tmp_path: Path) -> None:
    """As where only the core is installed."""
    hide = "import sys; sys.modules['opentelemetry.exporter'] = None"
    start = "sys.argv = ['app', 'serve', '--otel-endpoint', 'http://c:4318']; from app.__main__ import cli; cli()"
    done = subprocess.run(
        [sys.executable, "-c", f"{hide}; {start}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "the package that sends them is not installed: pip install opentelemetry" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


class Collector(ThreadingHTTPServer):
    """Takes what is posted to it as OTLP has it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def resource_spans(self) -> list[Any]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return [found for body in self.bodies for found in ExportTraceServiceRequest.FromString(body).resource_spans]

    def spans(self) -> list[Any]:
        return [span for found in self.resource_spans() for scope in found.scope_spans for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        assert self.path == "/v1/traces"
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_a_collector_gets_a_span_for_each_request_and_each_of_its_stages(
    collector: Collector, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    check_installed()
    log = tmp_path / "log"
    arguments = ("--model", f"tiny={tiny_checkpoint}", "--otel-endpoint", collector.url, "--drain-delay-s", "0")
    with process(log, *arguments) as (server, url):
        wait_ready(url)
        body = {"inputs": ["SECRET film", "a good film"]}
        parent = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-request-id": "order-66"}
        httpx2.post(f"{url}/predict", json=body, headers=parent)
        httpx2.post(f"{url}/predict?q=SECRET", json={"inputs": {"SECRET": 1}})
        httpx2.post(f"{url}/predict", json=body, headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        server.terminate()
        assert server.wait(20) == 0, "what is left is sent before it leaves"
    spans = collector.spans()
    (whole,) = (span for span in spans if span.trace_id.hex() == TRACE and span.parent_span_id.hex() == SPAN)
    assert whole.name == "POST /predict"
    assert attributes(whole) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "sluice.request_id": "order-66",
        "sluice.model": "tiny",
        "sluice.texts": 2,
        "sluice.tokens": attributes(whole)["sluice.tokens"],
    }
    stages = [span for span in spans if span.parent_span_id == whole.span_id]
    assert [span.name for span in stages] == ["read", "wait", "tokenise", "queue", "compute", "respond"]
    assert {span.trace_id.hex() for span in stages} == {TRACE}
    edges = [stages[0].start_time_unix_nano, *(span.end_time_unix_nano for span in stages)]
    assert edges == sorted(edges)
    assert abs(edges[0] - whole.start_time_unix_nano) < 1000
    assert abs(edges[-1] - whole.end_time_unix_nano) < 1000
    assert all(abs(a.end_time_unix_nano - b.start_time_unix_nano) < 1000 for a, b in pairwise(stages))

    # A caller that does not record is obeyed, and one without a header gets a trace of its own.
    (other,) = (span for span in spans if not span.parent_span_id)
    assert attributes(other)["http.response.status_code"] == 422
    assert other.trace_id != whole.trace_id
    assert len(spans) == 8
    (resource,) = {found.resource.SerializeToString() for found in collector.resource_spans()}
    assert b"service.name" in resource
    assert not any(b"SECRET" in sent for sent in collector.bodies)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    traces = [line["trace_id"] for line in lines if line.get("route") == "/predict"]
    assert traces == [TRACE, other.trace_id.hex(), TRACE]


GONE = """
import asyncio, time
from app.telemetry.otel import Tracer
tracer, began = Tracer("http://127.0.0.1:9/v1/traces"), time.monotonic()
for _ in range(10_000):
    tracer.record(None, "POST /predict", {}, None, failed=False, started=began, ended=began)
recorded = time.monotonic()
asyncio.run(tracer.close())
print(recorded - began, time.monotonic() - recorded)
"""


def test_a_collector_that_is_gone_costs_no_request_and_not_much_time() -> None:
    """In a process of its own: the exporter's thread goes on trying, and draws from the `random` of other tests."""
    otel = pytest.importorskip("app.telemetry.otel", reason="the extra otel is not installed", exc_type=ImportError)
    done = subprocess.run(
        [sys.executable, "-c", GONE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    recording, closing = map(float, done.stdout.split())
    assert recording < 5, "nothing waits for the collector"
    assert closing < otel.CLOSE_TIMEOUT_S + 1
