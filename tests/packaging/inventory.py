"""What an image contains, as a CycloneDX document and as a table of licences: `make sbom`.

    python -m tests.packaging.inventory --packages SITE_PACKAGES [--only LOCK] [--debian ROOT] --output FOLDER

Runs in an environment of its own, which `make` keeps in build/audit; it needs `cyclonedx-python-lib[json-validation]`.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

SBOM, TABLE = "sbom.cdx.json", "licences.md"
UNKNOWN = "unknown"

_LONGEST_LICENCE = 80
_NOT_SAID = {"unknown", "other/proprietary license", "dual license"}


@dataclass(frozen=True, order=True)
class Part:
    """One installed package.

    Attributes:
        kind: `pypi` or `deb`, as package URLs have it.
        licence: what its own metadata says, shortened to a line.
    """

    kind: str
    name: str
    version: str
    licence: str


def python_parts(site_packages: Path, only: set[str] | None = None) -> Iterator[Part]:
    """The Python packages in a folder, or those of them whose names are in `only`."""
    for found in distributions(path=[str(site_packages)]):
        name = canonical(found.metadata["Name"])
        if only is None or name in only:
            yield Part("pypi", name, found.version, python_licence(found.metadata))  # type: ignore[arg-type]


def python_licence(metadata: Message) -> str:
    """The licence that a package states, most exact statement first."""
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if "License ::" in line]
    free_text = str(metadata.get("License") or "").strip().partition("\n")[0]
    for stated in (metadata.get("License-Expression"), ", ".join(sorted(classifiers)), free_text[:_LONGEST_LICENCE]):
        if stated and str(stated).lower() not in _NOT_SAID:
            return str(stated)
    return UNKNOWN


def debian_parts(root: Path) -> Iterator[Part]:
    """The Debian packages installed below a root; none where there is no dpkg."""
    status = root / "var/lib/dpkg/status"
    for paragraph in status.read_text("utf-8").split("\n\n") if status.is_file() else ():
        fields = HeaderParser().parsestr(paragraph)
        if fields["Status"] == "install ok installed":
            copyright_file = root / "usr/share/doc" / fields["Package"] / "copyright"
            yield Part("deb", fields["Package"], fields["Version"], debian_licence(copyright_file))


def debian_licence(path: Path) -> str:
    """The licences that a package's copyright file names, in machine-readable form or by where Debian keeps them."""
    if not path.is_file():
        return UNKNOWN
    text = path.read_text("utf-8", errors="replace")
    names = re.findall(r"^License: *(\S.*?) *$", text, re.MULTILINE)
    names = names or re.findall(r"/usr/share/common-licenses/([A-Za-z][A-Za-z0-9.+-]*[A-Za-z0-9+])", text)
    return ", ".join(sorted(set(names))) or UNKNOWN


def canonical(name: str) -> str:
    """A package's name as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path) -> set[str]:
    """The names in a lock."""
    return {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", path.read_text("utf-8"), re.MULTILINE)}


def table(parts: list[Part]) -> str:
    """The licences, for people."""
    rows = [f"| {part.name} | {part.version} | {part.kind} | {part.licence.replace('|', '/')} |" for part in parts]
    return "\n".join(["| package | version | from | licence |", "| --- | --- | --- | --- |", *rows, ""])


def document(parts: list[Part]) -> str:
    """The CycloneDX document, held to its schema.

    Raises:
        ValueError: it does not fit the schema.
    """
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL

    licences = LicenseFactory()

    def component(part: Part) -> Any:
        namespace = "debian" if part.kind == "deb" else None
        url = PackageURL(part.kind, namespace, part.name, part.version)
        stated = [] if part.licence == UNKNOWN else [licences.make_from_string(part.licence)]
        return Component(
            type=ComponentType.LIBRARY,
            name=part.name,
            version=part.version,
            purl=url,
            bom_ref=str(url),
            licenses=stated,
        )

    bom = Bom(components=[component(part) for part in parts])
    sluice = Component(
        type=ComponentType.APPLICATION, name="sluice", licenses=[licences.make_from_string("Apache-2.0")]
    )
    bom.metadata.component = sluice
    bom.register_dependency(sluice, bom.components)
    text = str(JsonV1Dot6(bom).output_as_string(indent=2))
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ValueError(f"not CycloneDX 1.6: {wrong}")
    return text


def main() -> int:
    """Writes both files; 2 when there is nothing to list."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder of the installed Python packages")
    parser.add_argument("--only", type=Path, help="list only what this lock names")
    parser.add_argument("--debian", type=Path, help="root of the file tree whose Debian packages are listed too")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    only = None if options.only is None else locked(options.only)
    parts = sorted({*python_parts(options.packages, only), *(debian_parts(options.debian) if options.debian else ())})
    if not parts:
        print(f"no packages in {options.packages}", file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / SBOM).write_text(document(parts), "utf-8")
    (options.output / TABLE).write_text(table(parts), "utf-8")
    unknown = [part.name for part in parts if part.licence == UNKNOWN]
    print(f"{len(parts)} packages in {options.output / SBOM} and {TABLE}; {len(unknown)} state no licence")
    return 0


if __name__ == "__main__":
    sys.exit(main())
