"""Building the engine's library: every outcome is a sentence, and a failure leaves no file."""

from pathlib import Path

import pytest

from model.engine.build import SOURCES, build


def test_without_a_compiler_or_with_one_that_fails_there_is_no_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "libengine.so"
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert "no C++ compiler" in build(library)
    (tmp_path / "bin").mkdir()
    failing = tmp_path / "bin" / "g++"
    failing.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("CXX", str(failing))
    assert build(library).endswith("several times slower\nit is broken")
    assert not library.exists()


def test_a_compiler_may_have_arguments_and_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = tmp_path / "libengine.so"
    monkeypatch.setenv("CXX", f"{tmp_path}/none g++")
    assert build(library).endswith(f"slower\n[Errno 2] No such file or directory: '{tmp_path}/none'")
    compiler = tmp_path / "cached"
    compiler.write_text('#!/bin/sh\n[ "$1" = g++ ] || exit 1\nwhile [ "$1" != -o ]; do shift; done\necho new > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", f"{compiler} g++")
    assert build(library) == f"engine: built libengine.so with {compiler} g++"


def test_a_library_takes_the_place_of_the_old_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library, compiler = tmp_path / "libengine.so", tmp_path / "g++"
    library.write_bytes(b"old")
    # A compiler that writes into the file after -o.
    compiler.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho new > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert build(library) == f"engine: built libengine.so with {compiler}"
    assert library.read_text() == "new\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g++", "libengine.so"]


@pytest.mark.parametrize("refused", ["-fno-tree-pre", "-mavx2"])
def test_a_flag_that_the_compiler_refuses_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: str
) -> None:
    compiler, calls, library = tmp_path / "g++", tmp_path / "calls", tmp_path / "libengine.so"
    compiler.write_text(
        f'#!/bin/sh\ncase "$*" in *{refused}*) echo {refused}; exit 1;; esac\n'
        f'echo "$@" >> {calls}\nwhile [ "$1" != -o ]; do shift; done\necho made > "$2"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert "built" in build(library)
    made = {Path(word).stem: call for call in calls.read_text().splitlines() for word in call.split() if ".cpp" in word}
    assert set(made) == {source.stem for source in SOURCES.glob("*.cpp")}
    assert ("-mavx2" in made["kernel_avx2"]) == (refused != "-mavx2")
    assert ("-fno-tree-pre" in made["kernel_avx2"]) == (refused != "-fno-tree-pre")


def test_every_source_is_compiled_and_linked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler, calls = tmp_path / "g++", tmp_path / "calls"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nwhile [ "$1" != -o ]; do shift; done\necho made > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    build(tmp_path / "libengine.so")
    *compiled, linked = calls.read_text().splitlines()
    names = {source.stem for source in SOURCES.glob("*.cpp")}
    assert {Path(word).stem for call in compiled for word in call.split() if word.endswith(".cpp")} == names
    assert {Path(word).stem for word in linked.split() if word.endswith(".o")} == names
