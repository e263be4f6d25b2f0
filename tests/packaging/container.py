"""Performs the Dockerfile's steps without Docker, then asks the server that comes of it: `make container-test`.

A bare Debian made by debootstrap stands in for the base image; each stage is a copy of its base; RUN, CMD and
HEALTHCHECK happen in a chroot with the environment, folder and user that the Dockerfile says, the last two as in
docker-compose.yml: read-only, without capabilities. Needs root, debootstrap and the package index. The bare Debian is
kept in ~/.cache/sluice; where PyTorch's index of CPU wheels does not answer, torch comes from wherever else pip is
configured to look, and must still be a CPU build. `python -m tests.packaging.container slim` builds one image alone.
"""

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.packaging.dockerfile import ROOT, Instruction, Stage, assignments, copy_context, expand, read
from tests.packaging.service import ask, free_port, running, stop, wait_healthy

DEBIAN = "bookworm"
PACKAGES = "python3,python3-venv,python3-distutils,ca-certificates,g++"
SYSTEM_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """A file tree and how to run things in it; what a stage turns its base into."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    workdir: str = "/"
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def bare_debian(work: Path) -> Path:
    """A fresh file tree with Python, from the cache if it was made before."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    archive = cache / f"{DEBIAN}-{PACKAGES.replace(',', '-')}.tar"
    root = work / "debian"
    if not archive.is_file():
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, root], check=True)
        for name in ("python", "python3"):
            (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
        cache.mkdir(parents=True, exist_ok=True)
        partial = archive.with_suffix(f".{os.getpid()}")
        subprocess.run(["tar", "-C", root, "-cf", partial, "."], check=True)
        partial.rename(archive)
    else:
        root.mkdir()
        subprocess.run(["tar", "-C", root, "-xf", archive], check=True)
    return root


def pip_settings() -> dict[str, str]:
    """How pip is configured here (mirrors, certificates), as variables: part of the machine, not of the image."""
    lines = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = {}
    for name, value in (line.split("=", 1) for line in lines.stdout.splitlines()):
        settings["PIP_" + name.rpartition(".")[2].replace("-", "_").upper()] = " ".join(ast.literal_eval(value).split())
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return settings | proxies


def paths_in(settings: dict[str, str]) -> list[Path]:
    """Files and folders of this machine that the settings name; an index's files lie beside its folder `simple`."""
    words = " ".join(settings.values()).split()
    paths = {Path(word.removeprefix("file://")) for word in words if word.startswith(("/", "file:///"))}
    return sorted({path.parent if path.name == "simple" else path for path in paths if path.exists()})


def enter(image: Image, argv: list[str], *, binds: list[Path] | None = None, sealed: bool = False) -> list[str]:
    """The command line that runs `argv` in the image, as the same process; `sealed`: read-only, no capabilities."""
    root = shlex.quote(str(image.root))
    script = [
        "set -e",
        f"mount --rbind {root} {root}",
        f"mount --rbind /dev {root}/dev",
        f"mount -t proc proc {root}/proc",
    ]
    for path in [Path("/etc/resolv.conf"), Path("/etc/hosts"), *(binds or [])]:
        inside = image.root / path.relative_to("/")
        if path.is_dir():
            inside.mkdir(parents=True, exist_ok=True)
        else:
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.touch()
        script.append(f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(inside))}")
    uid, _, gid = image.user.partition(":")
    privileges = ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]
    if sealed:
        script += [f"mount -t tmpfs tmpfs {root}/tmp", f"mount -o remount,ro,bind {root}"]
        privileges += ["--no-new-privs", "--bounding-set", "-all"]
    variables = [f"{name}={value}" for name, value in image.env.items()]
    inner = ["chroot", str(image.root), *privileges, "env", "-i", "-C", image.workdir, *variables, *argv]
    script.append("exec " + shlex.join(inner))
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script)]


class Builder:
    """Makes the images of the Dockerfile's stages, each once."""

    def __init__(self, stages: dict[str, Stage], work: Path, build_args: dict[str, str]) -> None:
        self.stages = stages
        self.work = work
        self.build_args = build_args
        self.images: dict[str, Image] = {}
        self.context = work / "context"
        copy_context(self.context)
        self.pip = pip_settings()
        self.debian = bare_debian(work)

    def build(self, name: str) -> Image:
        """The image of a stage, after those that it needs."""
        if name not in self.images:
            stage = self.stages[name]
            # What is not a stage is the public base image.
            base = self.build(stage.base) if stage.base in self.stages else Image(self.debian)
            image = replace(base, root=self.work / name)
            subprocess.run(["cp", "-a", base.root, image.root], check=True)
            arguments: dict[str, str] = {}
            for instruction in stage.instructions:
                started = time.monotonic()
                image = self._perform(instruction, image, arguments)
                print(
                    f"{time.monotonic() - started:6.1f} s  {name}: {instruction.name} {instruction.text[:90]}",
                    flush=True,
                )
            self.images[name] = image
        return self.images[name]

    def _perform(self, instruction: Instruction, image: Image, arguments: dict[str, str]) -> Image:
        text = instruction.arguments
        variables = arguments | image.env
        match instruction.name:
            case "ARG":
                arguments |= {name: self.build_args.get(name, value) for name, value in assignments(text).items()}
            case "ENV":
                env = {name: expand(value, variables) for name, value in assignments(text).items()}
                return replace(image, env=image.env | env)
            case "WORKDIR":
                (image.root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
                return replace(image, workdir=text)
            case "USER":
                return replace(image, user=text)
            case "CMD":
                return replace(image, command=instruction.argv)
            case "HEALTHCHECK":
                return replace(image, health=instruction.argv)
            case "COPY":
                self._copy(instruction, image)
            case "RUN":
                env = self.pip | variables
                step = enter(replace(image, env=env), ["sh", "-c", text], binds=self._binds())
                subprocess.run(step, check=True)
            case "EXPOSE" | "STOPSIGNAL":
                pass
            case other:
                raise ValueError(f"not supported: {other}")
        return image

    def _binds(self) -> list[Path]:
        return [
            Path("/etc/ssl/certs"),
            *(path for path in paths_in(self.pip) if path.parts[:4] != ("/", "etc", "ssl", "certs")),
        ]

    def _copy(self, instruction: Instruction, image: Image) -> None:
        source, destination = instruction.arguments.split()
        stage = instruction.flags.get("from")
        tree = self.build(stage).root if stage else self.context
        target = (
            image.root / image.workdir.lstrip("/") / destination
            if destination[0] != "/"
            else image.root / destination[1:]
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        path = tree / source.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target)


def reachable(url: str) -> bool:
    """Whether an index of wheels answers."""
    try:
        urllib.request.urlopen(f"{url}/torch/", timeout=10).close()
    except (urllib.error.URLError, TimeoutError):
        return False
    return True


def check_files(image: Image, *, torch: bool) -> None:
    """The image has no CUDA, no pip, byte code for its own files, and PyTorch or not."""
    installed = sorted(path.name for path in image.root.glob("opt/venv/lib/python3*/site-packages/*"))
    assert any(name.startswith("torch-") for name in installed) == torch, f"torch is installed: {not torch}"
    unwanted = [name for name in installed if name.startswith(("nvidia", "cuda", "triton", "pip-"))]
    assert not unwanted, f"in the image but not wanted: {unwanted}"
    assert list(image.root.glob("srv/sluice/app/__pycache__/*.pyc")), "app is not compiled"


def list_contents(image: Image) -> None:
    """Writes down what the image contains; `make sbom` does the same for an environment."""
    python = ROOT / "build/audit/bin/python"
    (packages,) = image.root.glob("opt/venv/lib/python3*/site-packages")
    options: list[str | Path] = ["--packages", packages, "--debian", image.root, "--output", ROOT / "build"]
    subprocess.run([python, "-m", "tests.packaging.inventory", *options], cwd=ROOT, check=True)


def check_service(image: Image) -> None:
    """The image's command comes up as the image's user, answers, and stops when told."""
    port = free_port()
    image = replace(image, env=image.env | {"SLUICE_PORT": str(port)})
    command, health = (enter(image, argv, sealed=True) for argv in (image.command, image.health))
    with running(command) as server:
        wait_healthy(server, health)
        status = Path(f"/proc/{server.pid}/status").read_text("ascii")
        assert f"\nUid:\t{image.user.partition(':')[0]}\t" in status, "the server runs as another user"
        print(json.dumps(ask(port)))
        stop(server)


def size(image: Image) -> str:
    """Megabytes that the image adds to its base, by folder."""
    parts = []
    for folder in ("opt/venv", "srv/sluice"):
        files = [path for path in (image.root / folder).rglob("*") if path.is_file() and not path.is_symlink()]
        parts.append(f"/{folder} {sum(path.stat().st_size for path in files) / 1e6:.0f} MB")
    return ", ".join(parts)


def main() -> int:
    """Builds the CPU images, the default one last, and asks them; 0 when all holds, 2 when it cannot be tried here."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        print("container-test needs root and debootstrap (apt-get install debootstrap)", file=sys.stderr)
        return 2
    stages = read()
    build_args = {}
    wheel_index = next(
        assignments(instruction.text)["TORCH_INDEX_URL"]
        for stage in stages.values()
        for instruction in stage.all("ARG")
        if "TORCH_INDEX_URL" in instruction.text
    )
    if not reachable(wheel_index):
        print("PyTorch's index of CPU wheels does not answer: torch from pip's own sources")
        build_args["TORCH_INDEX_URL"] = "file:///no-index"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sluice-container-") as work:
        builder = Builder(stages, Path(work), build_args)
        for target in sys.argv[1:] or ("slim", "cpu"):
            image = builder.build(target)
            check_files(image, torch=target == "cpu")
            print(f"{target}: {size(image)}")
            if target == "cpu":
                list_contents(image)
            check_service(image)
    print(f"container test passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
