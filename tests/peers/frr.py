"""FRR's routing daemons in a network namespace of their own, and an account whose login shell is their vtysh."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import need
from tests.peers.accounts import Account, make_user, remove_user
from tests.peers.sshd import wait_until

DAEMONS = Path("/usr/lib/frr")
CONFIG = """frr defaults traditional
hostname r1
service integrated-vtysh-config
"""


@dataclass(frozen=True)
class Router:
    """``account`` logs in to vtysh; ``config`` is the file that ``write memory`` writes."""

    account: Account
    config: Path


@contextmanager
def router() -> Iterator[Router]:
    """A router with zebra and bgpd. Needs root and the Debian package ``frr``."""
    need(os.geteuid() == 0, "FRR's daemons need root")
    need((DAEMONS / "bgpd").exists() and shutil.which("vtysh"), "frr is not installed")
    need(shutil.which("unshare"), "unshare is not installed")
    directory = Path(tempfile.mkdtemp(prefix="smcp-frr-", dir="/tmp"))
    directory.chmod(0o755)
    shell = directory / "vtysh"
    shell.write_text(f'#!/bin/sh\nexec vtysh --vty_socket {directory} --config_dir {directory} "$@"\n')
    shell.chmod(0o755)
    account = make_user("frr", str(shell))
    running: list[subprocess.Popen[bytes]] = []
    try:
        config = directory / "frr.conf"
        config.write_text(CONFIG)
        (directory / "vtysh.conf").write_text("service integrated-vtysh-config\n")
        shutil.chown(directory, "frr")
        running.extend(_start(daemon, directory) for daemon in ("zebra", "bgpd"))
        for path in (directory, config):
            os.chown(path, account.uid, pwd.getpwnam("frr").pw_gid)
        yield Router(account, config)
    finally:
        for process in running:
            process.kill()
            process.wait()
        remove_user(account)
        shutil.rmtree(directory, ignore_errors=True)


def _start(daemon: str, directory: Path) -> subprocess.Popen[bytes]:
    ports = ["-p", "0"] if daemon == "bgpd" else []
    argv = [
        "unshare",
        "--net",
        str(DAEMONS / daemon),
        "-f",
        str(directory / "frr.conf"),
        "-i",
        str(directory / f"{daemon}.pid"),
    ]
    argv += ["-z", str(directory / "zserv.api"), "--vty_socket", str(directory), "-u", "frr", "-g", "frr", "-P", "0"]
    with (directory / f"{daemon}.log").open("w") as log:
        process = subprocess.Popen([*argv, *ports], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    socket = directory / f"{daemon}.vty"
    wait_until(lambda: socket.is_socket() or process.poll() is not None, f"{daemon}'s socket")
    assert process.poll() is None, (directory / f"{daemon}.log").read_text()
    socket.chmod(0o666)
    return process
