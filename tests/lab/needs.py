"""What the lab needs, and why it cannot be had where that is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

PACKAGES = (
    "docker.io",
    "docker-compose",
    "podman",
    "podman-compose",
    "runc",
    "netavark",
    "aardvark-dns",
    "debootstrap",
    "debian-archive-keyring",
    "busybox-static",
    "libarchive-tools",
    "openssh-client",
    "openssh-server",
    "openssh-sftp-server",
    "sudo",
    "opendoas",
    "patchelf",
    "redis-server",
    "acl",
    "attr",
    "shellcheck",
    "iproute2",
    "procps",
    "git",
    "fish",
    "csh",
    "zsh",
    "mksh",
    "ksh93u+m",
    "tmux",
    "dropbear-bin",
    "tinysshd",
    "ucspi-tcp",
    "sqlite3",
    "lftp",
    "rpm",
    "createrepo-c",
    "dnf",
    "zypper",
    "pacman-package-manager",
    "chromium",
    "rsync",
    "zip",
    "unzip",
    "man-db",
    "librsvg2-bin",
    "zstd",
    "xz-utils",
    "frr",
    "vim",
    "whiptail",
    "util-linux",
)
"""Debian packages for the lab and the integration tests: ``apt-get install --no-install-recommends`` them."""

_PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "debootstrap": "debootstrap",
    "busybox": "busybox-static",
    "ssh-keygen": "openssh-client",
    "dpkg-deb": "dpkg",
}

SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"


def find(program: str) -> str | None:
    return shutil.which(program, path=SEARCH)


def why_not() -> str | None:
    """One line, or None where the lab can be built."""
    if sys.platform != "linux":
        return "the lab needs Linux"
    if os.geteuid() != 0:
        return "the lab needs root (a container engine and debootstrap)"
    missing = sorted({package for program, package in _PROGRAMS.items() if not find(program)})
    if missing:
        return f"missing Debian packages: {' '.join(missing)}"
    if not Path("/sys/fs/cgroup").is_dir():
        return "no cgroups are mounted at /sys/fs/cgroup"
    return None
