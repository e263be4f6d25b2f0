"""The installation of a lock: which build of torch, by pip or uv, and what is said meanwhile.

The indexes are folders served on this machine, with a torch of two small wheels: that of the package index, which
stands for the one with CUDA, and that of the index of CPU wheels, with a local version.
"""

import http.server
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from requirements import install, pytorch
from requirements.progress import PipProgress, Progress, UvProgress, relay

ROOT = Path(__file__).resolve().parents[2]
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
TAGS = f"{TAG}-{TAG}-{'linux' if sys.platform == 'linux' else 'macosx_11_0'}_{platform.machine()}"
VERSION = "9.9.9"


def wheel(folder: Path, version: str) -> None:
    """A wheel of torch without content, in the layout of an index."""
    folder = folder / "torch"
    folder.mkdir(parents=True)
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-{TAGS}.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {TAGS}\n")
        archive.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("indexes")
    wheel(folder / "cpu", f"{VERSION}+cpu")
    wheel(folder / "simple", VERSION)
    with served(folder) as url:
        yield url


@pytest.fixture(scope="module")
def closed() -> str:
    """The address of an index where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


# --- which torch ---


class TestGpu:
    def test_the_driver_tells(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(pytorch, "DRIVER", tmp_path / "version")
        assert not pytorch.has_nvidia_gpu()
        (tmp_path / "version").touch()
        assert pytorch.has_nvidia_gpu()

    @pytest.mark.parametrize(
        ("script", "expected"),
        [("echo 'GPU 0: NVIDIA H100'", True), ("echo 'No devices were found'; exit 6", False), ("exit 9", False)],
    )
    def test_nvidia_smi_tells_where_the_driver_is_elsewhere(
        self, script: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pytorch, "DRIVER", tmp_path / "version")
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        assert pytorch.has_nvidia_gpu() is expected


class TestIndex:
    def test_has_the_wheel(self, indexes: str) -> None:
        assert pytorch.why_not(f"{indexes}/cpu", VERSION) is None
        assert pytorch.why_not(f"{indexes}/cpu/", VERSION) is None

    def test_has_another_version_only(self, indexes: str) -> None:
        reason = pytorch.why_not(f"{indexes}/cpu", "9.9")
        assert reason is not None
        assert reason.startswith("it has no wheel of torch 9.9 for Python 3.")

    def test_has_no_torch(self, indexes: str) -> None:
        assert pytorch.why_not(f"{indexes}/nothing", VERSION) == "File not found"

    def test_takes_user_and_password_as_pip_does(self, indexes: str, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[urllib.request.Request] = []
        urlopen = urllib.request.urlopen

        def recorded(request: urllib.request.Request, timeout: float) -> Any:
            asked.append(request)
            return urlopen(request, timeout=timeout)

        monkeypatch.setattr(urllib.request, "urlopen", recorded)
        assert pytorch.why_not(indexes.replace("//", "//me:a%40b@") + "/cpu", VERSION) is None
        assert asked[0].unredirected_hdrs["Authorization"] == "Basic bWU6YUBi"

    def test_is_not_there(self, closed: str) -> None:
        assert "refused" in str(pytorch.why_not(closed, VERSION))

    def test_is_no_address(self) -> None:
        assert pytorch.why_not("nonsense", VERSION) is not None

    def test_never_answers(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            started = time.monotonic()
            reason = pytorch.why_not(f"http://127.0.0.1:{listener.getsockname()[1]}", VERSION, wait_s=0.3)
            assert time.monotonic() - started < 10
        assert reason in {"no answer within 0.3 s", "timed out"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str | None]]:
    """What pip would be asked for: arguments and the only index; nothing is installed, and torch is not there."""
    calls: list[tuple[list[str], str | None]] = []

    def record(_: install.Pip, arguments: list[str], index: str | None = None) -> int:
        calls.append((arguments, index))
        return 0

    monkeypatch.setattr(install.Pip, "install", record)
    monkeypatch.setattr(install, "installed_torch", lambda: None)
    monkeypatch.setattr(install, "why_not", lambda index, version: None)
    monkeypatch.setattr(install, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(sys, "platform", "linux")
    return calls


CORE = str(ROOT / "requirements" / "core.txt")
LOCKED = str(pytorch.locked_torch(Path(CORE)))
TORCH = (["--no-deps", f"torch=={LOCKED}"], "I")
REST = (["-r", CORE], None)


class TestChoice:
    def test_without_a_gpu_torch_comes_from_its_index(
        self, asked: list[object], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert install.main([CORE, "--torch-index", "I"]) == 0
        assert asked == [TORCH, REST]
        assert f"PyTorch {LOCKED} without CUDA, as there is no NVIDIA GPU: from I" in capsys.readouterr().err

    def test_with_a_gpu_it_comes_from_the_package_index(
        self, asked: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(install, "has_nvidia_gpu", lambda: True)
        assert install.main([CORE, "--torch-index", "I"]) == 0
        assert asked == [REST]
        assert f"PyTorch {LOCKED} with CUDA" in capsys.readouterr().err

    def test_an_index_that_was_named_is_asked_with_a_gpu_too(
        self, asked: list[object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(install, "has_nvidia_gpu", lambda: True)
        assert install.main([CORE, "--torch-index", "I", "--torch-index-always"]) == 0
        assert asked == [TORCH, REST]

    @pytest.mark.parametrize("always", [[], ["--torch-index-always"]])
    def test_a_password_is_handed_on_and_not_shown(
        self, always: list[str], asked: list[tuple[list[str], str]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert install.main([CORE, "--torch-index", "https://me:secret@host/cpu", *always]) == 0
        assert asked[0][1] == "https://me:secret@host/cpu"
        said = capsys.readouterr().err
        assert "from https://host/cpu" in said
        assert "secret" not in said

    def test_no_index_means_the_package_index(self, asked: list[object]) -> None:
        assert install.main([CORE, "--torch-index-always"]) == 0
        assert asked == [REST]

    def test_a_mac_has_no_build_with_cuda(self, asked: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        assert install.main([CORE, "--torch-index", "I"]) == 0
        assert asked == [REST]

    @pytest.mark.parametrize("build", [LOCKED, f"{LOCKED}+cpu", f"{LOCKED}+cu130"])
    def test_the_right_version_stays(self, build: str, asked: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install, "installed_torch", lambda: build)
        assert install.main([CORE, "--torch-index", "I"]) == 0
        assert asked == [REST]

    def test_an_older_version_is_replaced_from_the_same_index(
        self, asked: list[object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(install, "installed_torch", lambda: "2.0.0+cpu")
        assert install.main([CORE, "--torch-index", "I"]) == 0
        assert asked == [TORCH, REST]

    def test_an_index_that_fails_is_told_and_passed_over(
        self, asked: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(install, "why_not", lambda index, version: "no answer within 5 s")
        assert install.main([CORE, "--torch-index", "I"]) == 0
        assert asked == [REST]
        assert "not from there (no answer within 5 s): from the package index" in capsys.readouterr().err


# --- the two installers, for real ---


def environment(**variables: str) -> dict[str, str]:
    """Without the configuration of pip and uv on this machine, which may know wheels of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "NO_PROXY": "127.0.0.1"} | variables


UV = install.usable(str(Path(sys.executable).with_name("uv"))) or install.usable("uv")


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "pip":
        return []
    if not UV:
        pytest.skip("uv is not installed")
    return ["--uv", UV]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds pip alone."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


def installed_from(venv: Path, arguments: list[str], env: dict[str, str], lock: Path) -> tuple[str, str]:
    """Installs a lock of torch alone; the version that came and what was said."""
    lock.write_text(f"# a lock\ntorch=={VERSION}  # via sluice\n")
    for info in venv.rglob("torch-*.dist-info"):
        shutil.rmtree(info)
    command: list[str | Path] = [venv / "bin/python", "-m", "requirements.install", lock, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (info,) = venv.rglob("torch-*.dist-info")
    return info.name.removeprefix("torch-").removesuffix(".dist-info"), done.stderr


def test_the_build_without_cuda_answers_the_lock(
    installer: list[str], made: Path, indexes: str, tmp_path: Path
) -> None:
    """What the second step asks for, `torch==9.9.9`, is there as 9.9.9+cpu: the package index is left alone."""
    env = environment(PIP_INDEX_URL=f"{indexes}/simple", UV_CACHE_DIR=str(tmp_path / "cache"))
    given = [*installer, "--torch-index", f"{indexes}/cpu", "--torch-index-always"]
    version, said = installed_from(made, given, env, tmp_path / "lock.txt")
    assert version == f"{VERSION}+cpu"
    assert f"with {'uv' if installer else 'pip'};" in said
    assert "installed 1 packages" in said


def test_the_package_index_answers_where_the_other_does_not(
    installer: list[str], made: Path, indexes: str, closed: str, tmp_path: Path
) -> None:
    """Uv is told where pip looks: the package index is named to pip only."""
    env = environment(PIP_INDEX_URL=f"{indexes}/simple", UV_CACHE_DIR=str(tmp_path / "cache"))
    given = [*installer, "--torch-index", closed, "--torch-index-always"]
    version, said = installed_from(made, given, env, tmp_path / "lock.txt")
    assert version == VERSION
    assert "from the package index" in said


def test_what_cannot_be_installed_is_a_failure_with_the_installers_words(
    installer: list[str], made: Path, indexes: str, tmp_path: Path
) -> None:
    (tmp_path / "lock.txt").write_text("torch==1.2.3\n")
    env = environment(PIP_INDEX_URL=f"{indexes}/simple", UV_CACHE_DIR=str(tmp_path / "cache"))
    command: list[str | Path] = [made / "bin/python", "-m", "requirements.install", tmp_path / "lock.txt", *installer]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "torch==1.2.3" in done.stderr
    assert ("make UV=" in done.stderr) is bool(installer)


def test_a_program_that_only_says_it_is_missing_is_not_uv(tmp_path: Path) -> None:
    shim = tmp_path / "uv"
    shim.write_text("#!/bin/sh\necho 'uv: command not found' >&2; exit 127\n")
    shim.chmod(0o755)
    assert install.usable(str(shim)) is None
    assert install.usable("") is None
    shim.write_text("#!/bin/sh\necho uv 0.13.9\n")
    assert install.usable(str(shim)) == str(shim)


def test_uv_is_told_where_pip_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://file/\nfind-links =\n  /a\n  /b\n")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://variable/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://one/ http://two/")
    env = install.uv_environment()
    assert env["UV_DEFAULT_INDEX"] == "http://variable/"
    assert env["UV_INDEX"] == "http://one/ http://two/"
    assert env["UV_FIND_LINKS"] == "/a,/b"
    assert env["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://own/")
    assert install.uv_environment()["UV_DEFAULT_INDEX"] == "http://own/"


# --- what is said ---

PIP = """\
Looking in indexes: http://127.0.0.1
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting numpy==2.4.6 (from -r core.txt (line 1))
  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (6.6 kB)
Collecting torch==2.13.0 (from -r core.txt (line 2))
Requirement already satisfied: pip in ./lib (from -r core.txt (line 3))
"""


def test_progress_of_pip() -> None:
    progress = PipProgress(3)
    assert all(map(progress.read, PIP.splitlines()))
    assert progress.status() == "looked up 2 of 2 packages"
    progress.read("Collecting nvidia-cublas==1 (from torch==2.13.0->-r core.txt (line 2))")
    progress.read("Using cached numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.7 MB)")
    assert progress.status() == "fetched 1 of 3 packages, at numpy 2.4.6 (16.7 MB)"
    progress.read("Processing /wheels/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl (from -r core.txt (line 2))")
    assert progress.status() == "fetched 2 of 3 packages, at torch 2.13.0+cpu"
    progress.read("Downloading nvidia_cublas-1-py3-none-linux_x86_64.whl (900.0 MB)")
    progress.read("Progress 450000000 of 900000000")
    assert progress.status() == "fetched 3 of 3 packages, at nvidia_cublas 1 (450 of 900 MB)"
    progress.read("Installing collected packages: numpy, torch, nvidia-cublas")
    assert progress.status() == "unpacking, 0 of 3 packages done"
    assert progress.installed == 3


def test_progress_of_uv() -> None:
    progress = UvProgress()
    assert progress.status() == "looking up packages"
    assert progress.read("Using Python 3.11.7 environment at: .venv")
    assert progress.read("Resolved 39 packages in 672ms")
    assert progress.status() == "fetching 39 packages"
    assert progress.read("Downloading torch (180.3MiB)")
    assert progress.read("Downloading numpy (16.1MiB)")
    assert progress.read(" Downloaded numpy")
    assert progress.status() == "fetching 39 packages, under way: torch (180.3MiB)"
    assert not progress.read("warning: Failed to hardlink files; falling back to full copy.")
    assert progress.read("Prepared 39 packages in 18.44s")
    assert progress.status() == "unpacking, 0 of 39 packages done"
    assert progress.read("Installed 39 packages in 1.00s")
    assert progress.read(" + torch==2.13.0+cpu")
    assert progress.installed == 39


SCRIPT = """
import sys, time
print('Resolved 1 package in 1ms', flush=True)
print('warning: something', flush=True)
time.sleep(1)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_silence_is_broken_and_a_failure_shows_what_was_kept_back(
    code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    progress: Progress = UvProgress()
    command = [sys.executable, "-c", SCRIPT, str(code)]
    assert relay(command, progress, "stdout", dict(os.environ), every_s=0.2) == code
    said = capsys.readouterr().err
    assert "s: fetching 1 packages" in said
    assert "warning: something\n" in said
    assert ("Resolved 1 package" in said) is (code != 0)
