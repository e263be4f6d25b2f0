"""`POST /predict/stream` over a real socket."""

import http.client
import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from tests.app.process.test_server import process, wait_ready

NUM_LINES = 10_000


def resident_kib(pid: int) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def test_reads_and_writes_at_the_same_time_in_bounded_memory(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint)) as (server, url):
        wait_ready(url)
        at = urlsplit(url)
        sock = socket.create_connection((at.hostname, at.port), timeout=60)
        sock.sendall(b"POST /predict/stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")

        def write() -> None:
            for start in range(0, NUM_LINES, 1000):
                lines = b"".join(b'{"inputs": "a good film number %d"}\n' % i for i in range(start, start + 1000))
                sock.sendall(b"%x\r\n%s\r\n" % (len(lines), lines))
            sock.sendall(b"0\r\n\r\n")

        writer = threading.Thread(target=write)
        writer.start()
        response = http.client.HTTPResponse(sock, method="POST")
        response.begin()
        sizes = []
        for number in range(1, NUM_LINES + 1):
            entry = json.loads(response.readline())
            assert entry["line"] == number
            assert entry["scores"]
            if number % 1000 == 0:
                sizes.append(resident_kib(server.pid))
        assert response.read() == b""
        writer.join()
        sock.close()
        assert httpx2.get(f"{url}/health/ready").status_code == 200
    assert sizes[-1] < sizes[1] * 1.05


def test_the_server_stops_reading_when_nobody_takes_its_answers(address: str) -> None:
    at = urlsplit(address)
    lines = b"".join(b'{"inputs": "a good film number %d"}\n' % i for i in range(1000))
    chunk = b"%x\r\n%s\r\n" % (len(lines), lines)
    with socket.create_connection((at.hostname, at.port), timeout=1) as sock:
        sock.sendall(b"POST /predict/stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        num_sent = 0
        with suppress(TimeoutError):
            while num_sent < 1000:
                sock.sendall(chunk)
                num_sent += 1
        assert num_sent < 1000
    assert httpx2.get(f"{address}/health/ready").status_code == 200
