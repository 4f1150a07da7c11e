"""Programs of another Debian suite beside this machine's own: unpacked, never installed, with their own libraries."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.lab.images import mirror
from tests.lab.places import LabError, Places, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def program_of(places: Places, suite: str, packages: Sequence[str], program: str) -> Path:
    """``program`` (a path inside of its package), which runs on this machine; ``packages`` also names those of its
    libraries. Raises what ``unpacked`` raises.
    """
    root = unpacked(places, suite, packages)
    return _with_own_libraries(root, root / program)


def unpacked(places: Places, suite: str, packages: Sequence[str]) -> Path:
    """The files of a suite's packages, fetched once from the machine's own mirror. Raises LabError where that does not
    work.
    """
    target = places.cache / f"{suite}-{packages[0]}"
    places.cache.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not target.exists():
            work = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=places.cache))
            work.chmod(0o755)
            try:
                _unpack(work, suite, packages)
                shutil.rmtree(work / "apt")
                work.rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return target


def _unpack(work: Path, suite: str, packages: Sequence[str]) -> None:
    apt = work / "apt"
    (apt / "lists/partial").mkdir(parents=True)
    (apt / "archives/partial").mkdir(parents=True)
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run("apt-get", *words, "-qq", "update", timeout=300)
    run("env", "-C", apt, "apt-get", *words, "-qq", "download", *packages, timeout=300)
    for package in apt.glob("*.deb"):
        run("dpkg-deb", "-x", package, work)


def _with_own_libraries(root: Path, program: Path) -> Path:
    """A copy whose interpreter and libraries are the suite's."""
    copy = root / "run" / program.name
    if copy.exists():
        return copy
    loader = root / _LIBRARIES / "ld-linux-x86-64.so.2"
    if not loader.exists() or shutil.which("patchelf") is None:
        raise LabError("programs of another suite need patchelf and an x86-64 Debian")
    copy.parent.mkdir(exist_ok=True)
    new = copy.with_name(f".{copy.name}.{os.getpid()}")
    shutil.copy(program, new)
    run("patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", root / _LIBRARIES, new)
    new.rename(copy)
    return copy
