"""An SFTP service that sees another tree than the login's shell does, as on a NAS."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.peers import need

_SERVER = Path("/usr/lib/openssh/sftp-server")


def chrooted_sftp(jail: Path) -> str:
    """The ``Subsystem sftp`` command of a server confined to ``jail``, which gets what the program needs."""
    need(os.geteuid() == 0 and shutil.which("chroot") and shutil.which("ldd"), "a chroot needs root and ldd")
    need(_SERVER.exists(), "sftp-server is not installed")
    printed = subprocess.run(["ldd", str(_SERVER)], check=True, capture_output=True, text=True).stdout
    for needed in [str(_SERVER), *re.findall(r"(/\S+) \(0x", printed)]:
        target = jail / needed.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(needed, target)
    (jail / "etc").mkdir(exist_ok=True)
    shutil.copy("/etc/passwd", jail / "etc" / "passwd")  # sftp-server wants its user's entry
    (jail / "dev").mkdir(exist_ok=True)
    os.mknod(jail / "dev" / "null", 0o020666, os.makedev(1, 3))
    return f"chroot {jail} {_SERVER}"
