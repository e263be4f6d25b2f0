"""Where the server listens: families of addresses, Unix sockets, and what it prints."""

import json
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest

from app.config.settings import Settings, SettingsError
from app.process.listening import listen, removed_at_end, url_of
from tests.app.conftest import make_settings
from tests.app.process.test_server import process, wait_until


def listening(**values: object) -> socket.socket:
    settings = make_settings(port=0, **values)
    return listen(settings.network, settings.connections)


needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")


def reached(sock: socket.socket, host: str) -> bool:
    try:
        socket.create_connection((host, sock.getsockname()[1]), timeout=5).close()
    except OSError:
        return False
    return True


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "shown", "reach"),
    [
        ("127.0.0.1", "127.0.0.1", (True, False)),
        ("0.0.0.0", "0.0.0.0", (True, False)),
        ("localhost", "127.0.0.1", (True, False)),
        ("::1", "[::1]", (False, True)),
        ("[::1]", "[::1]", (False, True)),
        ("0:0:0:0:0:0:0:1", "[::1]", (False, True)),
        ("::", "[::]", (True, True)),
        ("[::]", "[::]", (True, True)),
        ("0::0", "[::]", (True, True)),
    ],
)
def test_the_family_is_that_of_the_host_and_two_colons_are_both(
    host: str, shown: str, reach: tuple[bool, bool]
) -> None:
    with listening(host=host) as sock:
        assert url_of(sock) == f"http://{shown}:{sock.getsockname()[1]}"
        assert (reached(sock, "127.0.0.1"), reached(sock, "::1")) == reach


@pytest.mark.parametrize("host", ["no.such.host.invalid", ".example", "300.1.1.1", "192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_ours_is_a_sentence(host: str) -> None:
    with pytest.raises(SettingsError, match=rf"^Cannot listen on {re.escape(host.strip('[]'))} port 0: [A-Z].*[^.]\.$"):
        listening(host=host)


@needs_ipv6
def test_both_families_are_served_and_the_log_has_plain_addresses(tiny_checkpoint: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process(log, "--model", f"tiny={tiny_checkpoint}", "--host", "::") as (_, url):
        assert url.startswith("http://[::]:")
        port = url.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]", "localhost"):
            assert httpx2.get(f"http://{host}:{port}/health/live", timeout=30).status_code == 200
        wait_until(lambda: log.read_text().count("/health/live") == 3)
        clients = [line["client"] for line in map(json.loads, log.read_text().splitlines()) if "client" in line]
    assert set(clients) == {"127.0.0.1", "::1"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_unix_socket_is_served_and_removed(tiny_checkpoint: Path, tmp_path: Path, workers: str) -> None:
    path, log = tmp_path / "socket", tmp_path / "log"
    options = ("--unix-socket", str(path), "--workers", workers, "--drain-delay-s", "0")
    with process(log, "--model", f"tiny={tiny_checkpoint}", *options) as (server, url):
        assert url == f"unix:{path}"
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path)), base_url="http://a", timeout=120) as client:
            wait_until(lambda: client.get("/health/ready").status_code == 200, 120)
            answer = client.post("/predict", json={"inputs": "a good film"})
            assert (answer.status_code, answer.json()["model"]) == (200, "tiny")
        if shutil.which("curl"):
            call = ["curl", "-s", "--unix-socket", str(path), "http://a/predict", "-d", '{"inputs":"good"}']
            assert b'"predictions"' in subprocess.run(call, capture_output=True, timeout=60, check=True).stdout
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        assert not path.exists()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(line.get("client") is None for line in lines if line.get("route") == "/predict")


def test_a_socket_that_a_dead_server_left_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listening(unix_socket=path).close()
    assert path.is_socket()
    with listening(unix_socket=path) as sock:
        assert path.stat().st_mode & 0o777 == 0o666
        with pytest.raises(SettingsError, match=f"^Cannot listen on {path}: Address already in use.$"):
            listening(unix_socket=path)
        with removed_at_end(sock):
            path.unlink()
            with listening(unix_socket=path):
                pass
        assert path.exists()  # another server's
    path.unlink()
    with listening(unix_socket=path) as sock, removed_at_end(sock):
        pass
    assert not path.exists()


def test_what_cannot_be_a_socket_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of somebody")
    for name, reason in (
        ("file", "it exists and is no socket"),
        ("none/socket", "No such file or directory"),
        ("a" * 200, "AF_UNIX path too long"),
    ):
        with pytest.raises(SettingsError, match=f": {reason}.$"):
            listening(unix_socket=tmp_path / name)
    assert (tmp_path / "file").read_text() == "of somebody"


def test_the_setting_is_a_flag_and_a_variable() -> None:
    assert Settings.from_env({}).network.unix_socket is None
    assert Settings.from_env({"SLUICE_UNIX_SOCKET": "/run/a"}).network.unix_socket == Path("/run/a")
