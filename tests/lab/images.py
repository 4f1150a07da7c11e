"""Root file systems without a registry: Debian by debootstrap, BusyBox from its static binary."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

from tests.lab.needs import find
from tests.lab.places import LabError, Places, run

SUITE = "bookworm"
INCLUDE = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "procps", "iproute2", "busybox-static")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
_TRIM = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt/lists")


def mirror() -> str:
    """The Debian mirror that this machine's apt is set up with: the only network the lab uses."""
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for source in sources:
        try:
            text = source.read_text()
        except OSError:
            continue
        for found in re.findall(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s*(https?://\S+)", text, re.MULTILINE):
            if re.search(r"/debian/?$", found):
                return str(found)
    return DEFAULT_MIRROR


def debian_tarball(places: Places, include: tuple[str, ...] = INCLUDE) -> Path:
    """The cached root file system; built on first use (40 s on two cores, most of it unpacking)."""
    recipe = " ".join((SUITE, *include, *_TRIM))
    target = places.cache / f"debian-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    if target.exists():
        return target
    places.cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="debootstrap-", dir=places.cache))
    root = work / "root"
    try:
        run(
            "debootstrap", "--variant=minbase", f"--include={','.join(include)}", SUITE, root, mirror(),
            timeout=900, env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
        )  # fmt: skip
        _unmount_below(root)
        for part in _TRIM:
            shutil.rmtree(root / part, ignore_errors=True)
        (root / "var/cache/apt/archives/partial").mkdir(parents=True, exist_ok=True)
        (root / "var/lib/apt/lists/partial").mkdir(parents=True, exist_ok=True)
        partial = work / "image.tar"
        run("tar", "--numeric-owner", "-C", root, "-cf", partial, "--exclude=./proc/*", "--exclude=./sys/*", ".")
        partial.replace(target)
    finally:
        _unmount_below(root)
        shutil.rmtree(work, ignore_errors=True)
    return target


def _unmount_below(root: Path) -> None:
    """debootstrap leaves proc mounted in some sandboxes; removing the tree must not walk into it."""
    for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
        mount = line.split()[1]
        if mount.startswith(f"{root}/"):
            run("umount", "-l", mount, check=False)


def busybox_tarball(places: Places) -> Path:
    """A root file system of one binary and its links."""
    binary = find("busybox")
    if binary is None:
        raise LabError("busybox is not installed")
    places.big.mkdir(parents=True, exist_ok=True)
    target = places.big / "busybox.tar"
    names = run(binary, "--list-full").split()
    with tarfile.open(target, "w") as tar:
        for name in ("bin", "sbin", "usr", "usr/bin", "usr/sbin", "etc", "tmp", "root", "var", "data", "proc", "sys"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        _add_file(tar, "bin/busybox", Path(binary).read_bytes(), 0o755)
        _add_file(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", 0o644)
        _add_file(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
        for name in names:
            if name != "bin/busybox":
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, "/bin/busybox"
                tar.addfile(entry)
    return target


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
