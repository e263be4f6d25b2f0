"""The list of an image's contents, on a file tree made by hand."""

from pathlib import Path

import pytest

from tests.packaging.inventory import Part, canonical, debian_parts, locked, python_parts, table

STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def install(folder: Path, name: str, *lines: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""]))


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT", "License: all of it"], "MIT"),
        (["Classifier: License :: OSI Approved :: BSD License", "License: see file"], "BSD License"),
        (["License: Apache-2.0"], "Apache-2.0"),
        (["License: UNKNOWN"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_most_exact_statement_counts(lines: list[str], licence: str, tmp_path: Path) -> None:
    install(tmp_path, "Some_Package", *lines)
    assert list(python_parts(tmp_path)) == [Part("pypi", "some-package", "1.0", licence)]
    assert not list(python_parts(tmp_path, only={"another"}))


def test_debian_packages_that_are_installed_are_listed(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    (tmp_path / "usr/share/doc/libc6").mkdir(parents=True)
    (tmp_path / "usr/share/doc/libc6/copyright").write_text("License: LGPL-2.1+\n text\nLicense: BSD\n")
    assert list(debian_parts(tmp_path)) == [Part("deb", "libc6", "2.36-9", "BSD, LGPL-2.1+")]
    assert not list(debian_parts(tmp_path / "usr"))
    (tmp_path / "usr/share/doc/libc6/copyright").write_text("The text is in /usr/share/common-licenses/GPL-2.")
    assert [part.licence for part in debian_parts(tmp_path)] == ["GPL-2"]


def test_the_table_has_a_row_a_package_and_the_lock_its_names(tmp_path: Path) -> None:
    assert table([Part("pypi", "a", "1", "MIT | BSD")]).splitlines()[-1] == "| a | 1 | pypi | MIT / BSD |"
    (tmp_path / "lock").write_text("# note\nfastapi==0.1  # via\nPy_YAML==6 ; python_version < '4'\n")
    assert locked(tmp_path / "lock") == {"fastapi", "py-yaml"}
    assert canonical("Py_YAML") == "py-yaml"
