"""An apt repository of tiny packages, built on the spot with dpkg-deb."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.places import run


@dataclass(frozen=True)
class Package:
    """One .deb: control fields beyond the obvious ones, maintainer scripts, files (path to text)."""

    name: str
    version: str
    fields: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()


SLOW_FIFO = "/run/lab-slow.fifo"

PACKAGES = (
    Package("lab-hello", "1.0", files={"/usr/share/lab/hello": "hello 1.0\n"}),
    Package("lab-hello", "1.1", files={"/usr/share/lab/hello": "hello 1.1\n"}),
    Package("lab-held", "1.0"),
    Package("lab-held", "2.0"),
    Package("lab-lib", "1.0"),
    Package("lab-extra", "1.0"),
    Package(
        "lab-app",
        "1.0",
        fields={"Depends": "lab-lib (>= 1.0), dpkg | lab-hello", "Recommends": "lab-extra", "Suggests": "lab-hello"},
    ),
    Package(
        "lab-conflict",
        "1.0",
        fields={"Conflicts": "lab-hello", "Breaks": "lab-extra (<< 0.5)", "Replaces": "lab-extra (<< 0.5)"},
    ),
    Package("lab-broken", "1.0", scripts={"postinst": "echo this package never configures >&2\nexit 7\n"}),
    Package("lab-unmet", "1.0", fields={"Depends": "lab-nowhere (>= 9)"}),
    Package("lab-asks", "1.0", scripts={"postinst": '[ "$DEBIAN_FRONTEND" = noninteractive ] || exit 9\n'}),
    Package("lab-slow", "1.0", scripts={"postinst": f"if [ -p {SLOW_FIFO} ]; then cat {SLOW_FIFO} >/dev/null; fi\n"}),
    Package("lab-conf", "1.0", files={"/etc/lab-conf.conf": "level=1\n"}, conffiles=("/etc/lab-conf.conf",)),
    Package("lab-conf", "2.0", files={"/etc/lab-conf.conf": "level=2\n"}, conffiles=("/etc/lab-conf.conf",)),
)


def build(target: Path) -> Path:
    """Make ``target`` a flat repository (``deb [trusted=yes] file:… ./``)."""
    target.mkdir(parents=True, exist_ok=True)
    stanzas = [_build_one(target, package) for package in PACKAGES]
    (target / "Packages").write_text("\n".join(stanzas))
    return target


def _build_one(repo: Path, package: Package) -> str:
    tree = repo.parent / "deb-tree" / f"{package.name}_{package.version}"
    control = tree / "DEBIAN"
    control.mkdir(parents=True, exist_ok=True)
    tree.chmod(0o755)
    control.chmod(0o755)
    for path, text in package.files.items():
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tree / path.lstrip("/")).write_text(text)
    if package.conffiles:
        (control / "conffiles").write_text("".join(f"{c}\n" for c in package.conffiles))
    for name, body in package.scripts.items():
        script = control / name
        script.write_text(f"#!/bin/sh\n{body}")
        script.chmod(0o755)
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": "all",
        "Maintainer": "Lab <lab@localhost>",
        "Section": "misc",
        "Priority": "optional",
        **package.fields,
        "Description": f"lab test package {package.name}\n It exists to be installed and removed.\n .\n Nothing else.",
    }
    text = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (control / "control").write_text(text)
    deb = repo / f"{package.name}_{package.version}_all.deb"
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, deb)
    content = deb.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return f"{text}Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {digest}\n"
