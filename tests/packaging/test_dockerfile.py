"""What can be known of the Dockerfile without performing it; `make container-test` performs it."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.dockerfile import ROOT, assignments, copy_context, lineage, parse, read
from tests.packaging.service import ask, free_port, running, stop, wait_healthy

STAGES = read()
TARGETS = ("cpu", "cuda", "slim")


def instructions(target: str, name: str) -> list[str]:
    return [found.arguments for stage in lineage(STAGES, target) for found in stage.all(name)]


def test_a_build_without_target_makes_the_cpu_image() -> None:
    assert list(STAGES)[-1] == "cpu"


@pytest.mark.parametrize("target", TARGETS)
class TestImage:
    def test_runs_as_a_user_who_is_not_root(self, target: str) -> None:
        uid = instructions(target, "USER")[-1].split(":")[0]
        assert int(uid) >= 10000

    def test_has_the_code_and_an_environment(self, target: str) -> None:
        copied = {copy.split()[1] for copy in instructions(target, "COPY")}
        assert copied == {"/opt/venv", "/srv/sluice"}

    def test_listens_where_docker_forwards(self, target: str) -> None:
        env = assignments(" ".join(instructions(target, "ENV")))
        assert env["SLUICE_HOST"] == "0.0.0.0"
        assert instructions(target, "EXPOSE") == [env["SLUICE_PORT"]]

    def test_is_stopped_gently(self, target: str) -> None:
        """No shell between Docker and the server: the signal reaches it."""
        assert instructions(target, "STOPSIGNAL") == ["SIGTERM"]
        (command,) = instructions(target, "CMD")
        assert json.loads(command)[:3] == ["python", "-m", "app"]


def test_torch_is_the_locked_one() -> None:
    (version,) = (
        assignments(argument.text)["TORCH_VERSION"]
        for stage in STAGES.values()
        for argument in stage.all("ARG")
        if "TORCH_VERSION" in argument.text
    )
    assert f"\ntorch=={version} " in (ROOT / "requirements" / "core.txt").read_text("utf-8")


def test_only_torch_comes_from_the_index_of_cpu_wheels() -> None:
    text = "\n".join(run.text for run in STAGES["venv-cpu"].all("RUN"))
    assert re.findall(r"pip install [^\n]*--index-url[^\n]*", text) == [
        'pip install --no-cache-dir --no-deps --index-url "${TORCH_INDEX_URL}" "torch==${TORCH_VERSION}"'
    ]


def test_the_slim_image_has_no_torch_and_nothing_that_asks_for_it() -> None:
    lock = (ROOT / "requirements" / "slim.txt").read_text("utf-8")
    assert "\ntokenizers==" in lock
    assert not re.search(r"^(torch|sympy|networkx|huggingface-hub|httpx2)\b", lock, re.MULTILINE)
    assert "TORCH" not in " ".join(run.text for run in STAGES["venv-slim"].all("RUN"))


def test_everything_copied_reaches_the_builder(tmp_path: Path) -> None:
    """.dockerignore lets nothing through but what is named there."""
    copy_context(tmp_path)
    sources = {copy.arguments.split()[0] for stage in STAGES.values() for copy in stage.all("COPY") if not copy.flags}
    assert sources
    for source in sources:
        assert (tmp_path / source).exists(), source
    assert (tmp_path / "app" / "page" / "index.html").is_file(), "what is not code belongs to the server too"
    through = {path.relative_to(tmp_path).parts[0] for path in tmp_path.iterdir()}
    assert through == {source.split("/")[0] for source in sources}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    subprocess.run([hadolint, "--failure-threshold", "info", ROOT / "Dockerfile"], check=True)


def test_the_images_code_serves_by_itself(tmp_path: Path) -> None:
    """The files that the image gets, alone in a folder, come up by its CMD, pass its HEALTHCHECK, answer and stop."""
    copy_context(tmp_path)
    (command,) = (found.argv for stage in lineage(STAGES, "cpu") for found in stage.all("CMD"))
    (health,) = (found.argv for stage in lineage(STAGES, "cpu") for found in stage.all("HEALTHCHECK"))
    port = free_port()
    env = assignments(" ".join(instructions("cpu", "ENV"))) | {"PATH": os.environ["PATH"], "SLUICE_PORT": str(port)}
    with running([sys.executable, *command[1:]], env=env, cwd=tmp_path) as server:
        wait_healthy(server, [sys.executable, *health[1:]], env=env)
        ask(port)
        assert server.poll() is None
        stop(server)
        assert server.poll() is not None


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_at_the_unix_socket_that_is_set(status: int, code: int, tmp_path: Path) -> None:
    (health,) = (found.argv for stage in lineage(STAGES, "cpu") for found in stage.all("HEALTHCHECK"))
    env = assignments(" ".join(instructions("cpu", "ENV"))) | {"SLUICE_UNIX_SOCKET": str(tmp_path / "s")}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(env["SLUICE_UNIX_SOCKET"])
        listening.listen()
        listening.settimeout(10)
        with subprocess.Popen([sys.executable, *health[1:]], env=env) as asking:
            connected, _ = listening.accept()
            with connected:
                assert connected.recv(9999).startswith(b"GET /health/ready ")
                connected.sendall(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)
            assert asking.wait(10) == code


# --- the reader of Dockerfiles ---

TEXT = """
ARG VERSION=3.11
# a comment
FROM python:${VERSION}-slim AS base
ENV A=1 \\
    # in between
    B="two words"
FROM base AS last
COPY --from=base /a /b
HEALTHCHECK --interval=1s \\
    CMD ["true", "CMD"]
RUN one \\
    && two
"""


def test_stages_are_read() -> None:
    stages = parse(TEXT)
    assert [stage.base for stage in stages.values()] == ["python:3.11-slim", "base"]
    assert [stage.name for stage in lineage(stages, "last")] == ["base", "last"]
    assert assignments(stages["base"].all("ENV")[0].text) == {"A": "1", "B": "two words"}
    (copy,) = stages["last"].all("COPY")
    assert copy.flags == {"from": "base"}
    assert copy.arguments == "/a /b"
    assert stages["last"].all("HEALTHCHECK")[0].argv == ["true", "CMD"]
    assert stages["last"].all("RUN")[0].text.split() == ["one", "&&", "two"]


@pytest.mark.parametrize("text", ["FROM a", "FROM a AS b\nADD x y", "FROM a AS b\nRUN <<EOF\nx\nEOF"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not supported|without a name"):
        parse(text)


def test_a_shell_form_is_no_argv() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        parse("FROM a AS b\nCMD python -m app")["b"].all("CMD")[0].argv  # noqa: B018
