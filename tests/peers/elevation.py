"""Hosts where something else makes root than sudo: doas, or sudo-rs under its own name or in sudo's place.

A mount namespace of the sshd's own hides the machine's sudo from its sessions; nothing outside of it changes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.lab.places import LabError, here
from tests.lab.suites import program_of
from tests.peers import need
from tests.peers.accounts import peers_dir

_OVERLAY = """
mount -t tmpfs none "$3" && mkdir "$3/up" "$3/work" || exit
mount -t overlay -o "lowerdir=/etc,upperdir=$3/up,workdir=$3/work" none /etc || exit
printf '%s\\n' "$2" >/etc/doas.conf && chmod 400 /etc/doas.conf || exit
"""
"""Its own /etc, in which doas.conf is: the file belongs to root and to this namespace alone."""

_BEFORE = {
    "doas": 'mount --bind /dev/null "$1" || exit' + _OVERLAY + 'shift 3 && exec "$@"',
    "sudo-rs": 'mount --bind /dev/null "$1" && mount --bind "$2" "$3" || exit; shift 3 && exec "$@"',
    "sudo-rs as sudo": 'mount --bind "$2" "$1" || exit; shift 3 && exec "$@"',
}


def doas_only(rules: str) -> tuple[str, ...]:
    """Words before an sshd whose sessions have no sudo, but doas with ``rules`` as its doas.conf."""
    need(shutil.which("doas"), "doas is not installed")
    place = peers_dir() / "doas-etc"
    place.mkdir(exist_ok=True)
    return _inside("doas", rules, str(place))


def sudo_rs_only(*, as_sudo: bool) -> tuple[str, ...]:
    """Words before an sshd whose sessions have sudo-rs, called ``sudo`` or only ``sudo-rs`` (in ``sudo_rs_path``)."""
    target = sudo_rs_path() / "sudo-rs"
    target.touch(mode=0o755)
    return _inside("sudo-rs as sudo" if as_sudo else "sudo-rs", str(_sudo_rs()), str(target))


def sudo_rs_path() -> Path:
    """A directory for the sessions' PATH."""
    place = peers_dir() / "sudo-rs"
    place.mkdir(exist_ok=True)
    return place


def _sudo_rs() -> Path:
    """sudo-rs 0.2.5 of Debian 13, set-user-ID root."""
    packages = ("sudo-rs", "libc6", "libgcc-s1", "libpam0g", "libaudit1", "libcap-ng0")
    try:
        program = program_of(here(), "trixie", packages, "usr/lib/cargo/bin/sudo")
    except LabError as error:
        need(False, f"sudo-rs cannot be had: {error}")
        raise
    program.chmod(0o4755)
    return program


def _inside(kind: str, first: str, second: str) -> tuple[str, ...]:
    need(os.geteuid() == 0 and shutil.which("unshare"), "a mount namespace needs root and unshare")
    sudo = shutil.which("sudo")
    need(sudo, "sudo is not installed")
    assert sudo is not None
    return ("unshare", "-m", "sh", "-c", _BEFORE[kind], "sh", str(Path(sudo).resolve()), first, second)
