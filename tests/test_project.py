"""The locks, the Makefile and what calls it agree with one another."""

import os
import re
import shlex
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.training.sentiment.__main__ import main as measure
from training.__main__ import main
from training.config.config import build_config, read_recipe
from training.data.sentiment_sets import SENTIMENT

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("core", "training", "dev")


def lock(name: str) -> dict[str, Requirement]:
    """The requirements of a lock by canonical name."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").splitlines()
    stripped = (line.partition(" #")[0].strip() for line in lines)
    found = [Requirement(line) for line in stripped if line and not line.startswith("#")]
    assert len({canonicalize_name(requirement.name) for requirement in found}) == len(found), "a name is there twice"
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@pytest.mark.parametrize("name", LOCKS)
class TestLock:
    def test_fixes_every_version(self, name: str) -> None:
        for requirement in lock(name).values():
            assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), requirement

    def test_has_nothing_of_cuda(self, name: str) -> None:
        """Where a CUDA build of torch is installed pip adds its libraries; where none is they must not come.

        The suite has Triton, whose interpreter runs the kernels on a CPU.
        """
        allowed = {"tritonclient"} | ({"triton"} if name == "dev" else set())
        assert not {package for package in lock(name) if package.startswith(("nvidia", "cuda", "triton"))} - allowed

    def test_names_no_index_and_no_address(self, name: str) -> None:
        text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        assert not re.search(r"://|^\s*-", text, re.MULTILINE)

    def test_answers_pyproject(self, name: str) -> None:
        """`make lock` was run after the last change of pyproject.toml."""
        extras = {
            "core": [],
            "training": ["training", "distill"],
            "dev": ["training", "distill", "otel", "gpu", "dev"],
        }[name]
        project = PYPROJECT["project"]
        wanted = [
            *project["dependencies"],
            *(line for extra in extras for line in project["optional-dependencies"][extra]),
        ]
        locked = lock(name)
        for requirement in map(Requirement, wanted):
            (pin,) = locked[canonicalize_name(requirement.name)].specifier
            assert requirement.specifier.contains(pin.version), f"{requirement}: locked {pin}"


@pytest.mark.parametrize(("smaller", "larger"), [("core", "training"), ("training", "dev")])
def test_a_larger_lock_contains_the_smaller(smaller: str, larger: str) -> None:
    """The Makefile counts on it: an environment with the larger one serves as the smaller."""
    inner, outer = lock(smaller), lock(larger)
    assert {name: str(requirement) for name, requirement in inner.items()} == {
        name: str(outer.get(name)) for name in inner
    }


def test_what_the_resolver_is_told_of_torch_is_true() -> None:
    (told,) = PYPROJECT["tool"]["uv"]["dependency-metadata"]
    torch = distribution("torch")
    assert told["version"] == torch.version.partition("+")[0]
    shared = (Requirement(line) for line in torch.requires or [])
    needed = {str(line) for line in shared if not line.marker or "extra" not in str(line.marker)}
    of_cuda = {line for line in needed if line.startswith(("nvidia", "cuda", "triton"))}
    assert {str(Requirement(line)) for line in told["requires-dist"]} == needed - of_cuda


def test_this_suite_runs_on_the_locked_versions() -> None:
    wrong = {}
    for name, requirement in lock("dev").items():
        if requirement.marker and not requirement.marker.evaluate():
            continue
        installed = distribution(name).version
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong[name] = f"installed {installed}, locked {requirement.specifier}"
    assert not wrong


# --- the Makefile ---

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # As a person would: without the variables of a make that may be running this test.
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_help_lists_every_target_and_variable() -> None:
    listed = make("help").stdout
    targets, _, variables = listed.partition("Variables:")
    assert set(re.findall(r"^  ([a-z-]+) {2,}\S", targets, re.MULTILINE)) == TARGETS
    settable = set(re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.MULTILINE))
    assert settable
    assert not {name for name in settable if not re.search(rf"\b{name}\b", variables)}


def test_every_target_is_phony() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


@pytest.mark.parametrize("python", ["false", "no-such-python", "python2"])
def test_an_unfit_python_is_named(python: str, tmp_path: Path) -> None:
    done = make("serve", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert done.returncode == 2
    assert f"Sluice needs Python 3.11 to 3.14; {python} is" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("target", ["serve", "train", "setup"])
def test_torch_is_asked_for_at_its_own_index(target: str, tmp_path: Path) -> None:
    """By default where the image finds it; one that is named is asked whatever the machine has; it can be none."""
    (index,) = re.findall(r"^ARG TORCH_INDEX_URL=(\S+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)

    def installation(*arguments: str) -> str:
        printed = make(target, "-n", f"VENV={tmp_path}/venv", *arguments).stdout.replace("\\\n", " ")
        line = next(" ".join(line.split()) for line in printed.splitlines() if "requirements.install" in line)
        return line.partition("requirements.install ")[2].partition(" ")[2]

    assert installation() == f"--torch-index '{index}' --uv 'uv'"
    assert installation("TORCH_INDEX_URL=https://other", "UV=") == "--torch-index 'https://other' --torch-index-always"
    assert "--torch-index " not in installation("TORCH_INDEX_URL=")


@pytest.mark.parametrize("target", ["serve", "train", "setup"])
def test_an_environment_that_is_up_to_date_is_left_alone(target: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("bin/python", ".core", ".training", ".dev"):
        (tmp_path / name).touch()
    assert "install" not in make(target, "-n", f"VENV={tmp_path}").stdout


def test_train_runs_the_recipe_or_the_files_that_it_is_given(tmp_path: Path) -> None:
    def dry_run(*arguments: str) -> str:
        printed = make("train", "-n", f"VENV={tmp_path}/venv", *arguments).stdout
        return " ".join(shlex.split(printed.replace("\\\n", " ").splitlines()[-1]))

    assert dry_run().endswith("training train --recipe sst2 --output runs/sst2")
    given = dry_run("TRAIN=a file.csv", "TEST=it's.csv", "RECIPE=r", "OUTPUT=out")
    assert given.endswith("training train --recipe r --train a file.csv --test it's.csv --output out")


@pytest.mark.parametrize("folder", ["", "my env"])
def test_an_environment_that_make_would_take_for_other_folders_is_refused(folder: str) -> None:
    done = make("clean", "-n", f"VENV={folder}")
    assert done.returncode == 2
    assert "must be one path without spaces" in done.stderr


RECIPE = ROOT / "training" / "config" / "recipes" / "sentiment.mk"
SET = re.compile(r"\b([a-z0-9_]+)/(?:train|unlabeled)\w*")


def _stages(folder: Path, target: str = "model") -> list[list[str]]:
    """The arguments of each command of `training` that a target runs, with empty files for the public sets."""
    splits = ("train", "train_phrases", "train_sentences", "unlabeled", "validation", "test")
    for name in set(SET.findall(RECIPE.read_text("utf-8"))):
        (folder / "data" / name).mkdir(parents=True, exist_ok=True)
        for split in splits:
            (folder / "data" / name / f"{split}.parquet").touch()
    data = (f"SLUICE_DATA={folder / 'data'}", f"BUILD={folder / 'build'}", f"MODEL={folder / 'model'}")
    done = make("-n", "-f", str(RECIPE), *data, f"ENGLISH_ENCODER={folder}", f"CHINESE_ENCODER={folder}", target)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in re.split(r" && | > | \|\| ", line)]
    return [
        shlex.split(found[1]) for part in parts if (found := re.search(r" -m (?:training|benchmarks)[ .](.*)", part))
    ]


def test_every_stage_of_the_default_checkpoint_is_a_call_that_its_command_takes(tmp_path: Path) -> None:
    stages = _stages(tmp_path)
    (tmp_path / "build" / "finished.part").mkdir(parents=True)  # the measurement asks for its checkpoint
    for name, *arguments in stages:
        (measure if name == "training.sentiment" else main.commands[name]).make_context(name, arguments)
    names = [name for name, *_ in stages]
    assert names[-5:] == ["distill", "distill", "average", "training.sentiment", "leaks"]
    assert (names.count("teach"), names.count("label"), names.count("distill")) == (2, 6, 4)
    for name, *arguments in stages:
        if (
            name in ("mix", "sentences")
            and "--limit" not in arguments
            and str(tmp_path / "data") in " ".join(arguments)
        ):
            assert "--without" in arguments, arguments
    shards = [arguments[arguments.index("--shard") + 1] for name, *arguments in stages if "--shard" in arguments]
    assert shards == ["1/4", "2/4", "3/4", "4/4"]


def test_every_stage_of_the_encoder_is_a_call_that_its_command_takes(tmp_path: Path) -> None:
    stages = _stages(tmp_path, "encoder")
    for name, *arguments in stages:
        main.commands[name].make_context(name, arguments)
    names = [name for name, *_ in stages]
    assert names[-1] == "pretrain"
    assert names.count("vectors") == 3
    assert {"teach", "label", "distill"}.isdisjoint(names)


def test_the_default_checkpoint_learns_from_sets_whose_licences_it_names_and_allow_it() -> None:
    teaching = set(SET.findall(RECIPE.read_text("utf-8").partition("# --- the stages")[0]))
    licence = build_config(read_recipe("sentiment")).data.licence
    allowed, barred = licence.split("No set whose licence bars")
    assert len(teaching) > 30
    assert {name for name in teaching if not re.search(rf"\b{name}\b", allowed)} == set()
    assert {name for name in teaching if re.search(rf"\b{name}\b", barred)} == set()
    assert not {name for name in teaching & set(SENTIMENT.sets) if not SENTIMENT.sets[name].teaches}


def test_ci_runs_what_a_contributor_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    called = " ".join(re.findall(r"^ *make ([a-z -]+?)(?: &)?$", text, re.MULTILINE)).split()
    checked = re.search(r"^check: ([a-z ]+) ##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert checked is not None
    assert set(checked[1].split()) < set(called) <= TARGETS
    # Else the tests of some clients skip.
    assert text.index("make clients &\n") < text.index('wait "$clients"\n') < text.index("make test\n")


def test_hooks_run_what_a_contributor_runs() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert local["repo"] == "local", "hooks fetch nothing"
    for hook in local["hooks"]:
        program, target = hook["entry"].split()
        assert program == "make"
        assert target in TARGETS
