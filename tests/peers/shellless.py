"""Hosts that start no POSIX shell for the login, each behind a real sshd: restricted shells, forced commands, startup
files that start something else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.peers import need
from tests.peers.accounts import Account, make_chroot, peers_dir
from tests.peers.sshd import Sshd

MENU: Final = """#!/bin/sh
printf '1) status\\n2) leave\\nchoice: '
while read -r line; do printf 'no such choice\\nchoice: '; done
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """``shell`` is the login shell, ``startup`` its ~/.bashrc, ``options`` are ``start_sshd``'s; ``says`` must be in a
    refusal; ``sftp``: the file tools work.
    """

    says: str
    sftp: bool
    shell: str = "/bin/sh"
    startup: str = ""
    options: Mapping[str, Any] | None = None
    chroot: bool = False
    slow: bool = False


KINDS: Final[dict[str, Kind]] = {
    "rbash": Kind("restricted shell", sftp=True, shell="rbash"),
    "git-shell": Kind("git-shell", sftp=True, shell="/usr/bin/git-shell"),
    "nologin": Kind("has nologin as its login shell", sftp=True, shell="/usr/sbin/nologin"),
    "false": Kind("does not run commands", sftp=True, shell="/bin/false"),
    "a forced echo": Kind("says: go away", sftp=False, options={"force_command": "echo go away"}),
    "a forced cat": Kind("with another program", sftp=False, options={"force_command": "cat"}),
    "a forced program that reads all": Kind(
        "does not run commands", sftp=False, options={"force_command": "cat >/dev/null"}, slow=True
    ),
    "a forced sleep": Kind("started no shell", sftp=False, options={"force_command": "sleep 45"}, slow=True),
    "a menu": Kind("choice", sftp=True, shell="menu"),
    "SFTP only": Kind("allowed SFTP only", sftp=True, options={"force_command": "internal-sftp"}),
    "SFTP in a chroot": Kind("allowed SFTP only", sftp=True, chroot=True),
    "startup files that start tmux": Kind(
        "does not run commands", sftp=True, shell="/bin/bash", startup="exec tmux new -A -s main"
    ),
    "startup files that start a shell": Kind(
        "with another program", sftp=True, shell="/bin/bash", startup="echo hello; exec bash --norc"
    ),
    "startup files that record the session": Kind(
        "with another program", sftp=True, shell="/bin/bash", startup="exec script -q /dev/null", slow=True
    ),
}


def start(
    kind: Kind, sshd_factory: Callable[..., Sshd], throwaway_users: Callable[..., Account]
) -> tuple[Sshd, Account]:
    """The server and the account that it lets in."""
    options = dict(kind.options or {})
    if kind.chroot:
        options["chroot"] = make_chroot()
    for word in kind.startup.split("exec ")[-1].split()[:1]:
        need(shutil.which(word), f"{word} is not installed")
    account = throwaway_users("shellless", _shell(kind.shell))
    (account.home / ".bashrc").write_text(f"{kind.startup}\n")
    return sshd_factory(**options), account


def _shell(name: str) -> str:
    if name == "rbash":
        link = peers_dir() / "rbash"
        if not link.is_symlink():
            link.symlink_to("/bin/bash")
        return str(link)
    if name == "menu":
        program = peers_dir() / "menu"
        program.write_text(MENU)
        program.chmod(0o755)
        return str(program)
    need(Path(name).exists(), f"{name} is not installed")
    return name
