"""The peers' shared directory and throwaway system accounts. Both carry our process id and vanish with the process."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tests.peers import need

PREFIX = "smcp-"
_SERIAL = itertools.count(1)
_ONE_AT_A_TIME = Path(tempfile.gettempdir()) / "smcp-lab-accounts.lock"


@functools.cache
def peers_dir() -> Path:
    """A directory that other accounts may enter (pytest's own are closed to them); short, gone at exit."""
    path = Path(tempfile.mkdtemp(prefix="smcp-lab-", dir="/tmp"))
    path.chmod(0o755)
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path


@dataclass(frozen=True)
class Account:
    """A system account made for one test run."""

    name: str
    home: Path
    shell: str
    uid: int


def make_user(label: str, shell: str, *, password: str | None = None) -> Account:
    """Create the account ``smcp-<label>-<n>-<pid>``; needs root. Without ``password`` only keys log in.

    Remove it with ``remove_user``; what a killed test run left behind is removed here.
    """
    need(os.geteuid() == 0, "making system accounts needs root")
    need(Path(shell).exists(), f"{shell} is not installed")
    need(shutil.which("useradd"), "useradd is not installed")
    _sweep()
    serial = next(_SERIAL)
    name = f"{PREFIX}{label}-{serial}-{os.getpid()}"
    home = peers_dir() / f"home-{label}-{serial}"
    home.mkdir(mode=0o755)
    _account_tool("useradd", "-M", "-d", str(home), "-s", shell, "-p", _hashed(password), name)
    entry = pwd.getpwnam(name)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    return Account(name, home, shell, entry.pw_uid)


def move_home(account: Account, home: Path) -> Account:
    """The account with another home, which is made; whoever asks removes it."""
    home.mkdir(mode=0o755)
    os.chown(home, account.uid, -1)
    _account_tool("usermod", "-d", str(home), account.name)
    return replace(account, home=home)


def remove_user(account: Account) -> None:
    """End everything the account runs, then delete it and its home."""
    _remove(account.name, account.uid)
    shutil.rmtree(account.home, ignore_errors=True)


def make_chroot() -> Path:
    """A directory fit for ChrootDirectory: sshd wants every component owned by root and writable by nobody else."""
    need(os.geteuid() == 0, "a chroot needs root")
    path = Path(tempfile.mkdtemp(prefix="smcp-chroot-", dir="/run"))
    path.chmod(0o755)
    return path


def _hashed(password: str | None) -> str:
    if password is None:
        return "*"  # "!" would lock the account for keys too
    done = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _account_tool(*argv: str) -> None:
    """useradd and userdel lock /etc/passwd and give up at once where another holds the lock: ours take turns."""
    for _ in range(50):
        with _ONE_AT_A_TIME.open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return
        if "lock" not in done.stderr:
            raise RuntimeError(f"{argv[0]}: {done.stderr.strip()}")
        time.sleep(0.1)
    raise RuntimeError(f"{argv[0]}: /etc/passwd stays locked")


def _remove(name: str, uid: int) -> None:
    victims = [p for p in psutil.process_iter(["uids"]) if p.info["uids"] and p.info["uids"].real == uid]
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    psutil.wait_procs(victims, timeout=5)
    with contextlib.suppress(RuntimeError):
        _account_tool("userdel", "-f", name)


@functools.cache
def _sweep() -> None:
    for entry in pwd.getpwall():
        owner = entry.pw_name.rpartition("-")[2]
        if entry.pw_name.startswith(PREFIX) and owner.isdigit() and not psutil.pid_exists(int(owner)):
            _remove(entry.pw_name, entry.pw_uid)
