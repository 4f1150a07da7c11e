"""An sshd on loopback with keys of its own, for the demonstration: started, used, gone."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_LIMIT = 10.0
"""Seconds until sshd must listen."""
STOP_LIMIT = 5.0
"""Seconds until it must have ended before it is killed."""


class NoSshd(Exception):
    """There is no sshd program, or it did not start; ``str()`` says what to do."""


@dataclass(frozen=True, slots=True)
class ThrowawayHost:
    """Where it listens and what to log in with. Everything lies below ``root``, which vanishes at the end."""

    port: int
    user: str
    key: Path
    known_hosts: Path
    root: Path


@contextlib.contextmanager
def throwaway_sshd() -> Iterator[ThrowawayHost]:
    """Start one; stop it and all that runs below it and remove its files, whatever ended the block. Raises NoSshd."""
    if os.name != "posix":
        raise NoSshd("The demo starts an sshd of its own, which it can do on Linux, macOS and BSD.")
    program = shutil.which("sshd") or next(
        (p for p in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if Path(p).exists()), None
    )
    if program is None:
        raise NoSshd("There is no sshd on this machine. Install openssh-server (Debian: apt install openssh-server).")
    with contextlib.ExitStack() as stack:
        # Short, since control sockets go below it and a socket's path may have 90 bytes.
        root = Path(tempfile.mkdtemp(prefix="ssh-mcp-demo-", dir="/tmp" if Path("/tmp").is_dir() else None))
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        host = _configure(root)
        process = subprocess.Popen(
            [program, "-D", "-f", str(root / "sshd_config"), "-E", str(root / "sshd.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        stack.callback(_stop, process)
        _wait(process, host.port, root)
        yield host


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the listener and every connection with what runs in it. A second Ctrl-C must not cut this short."""
    with _undisturbed():
        below = _descendants(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT)
        process.kill()
        process.wait()
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _descendants(pid: int) -> list[int]:
    """Processes below ``pid``: one or two sshd per connection, and what runs in sessions."""
    try:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=STOP_LIMIT
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    parents = [tuple(map(int, line.split())) for line in listing.splitlines()]
    found = [pid]
    for known in found:  # grows while it is walked
        found += [child for child, parent in parents if parent == known]
    return found[1:]


def _configure(root: Path) -> ThrowawayHost:
    if os.getuid() == 0:
        # Where sshd separates its privileges; the system's service makes it, and nobody takes it away again.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "client_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ssh-mcp demo", "-f", str(root / name)], check=True
        )
    shutil.copy(root / "client_key.pub", root / "authorized_keys")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (root / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {root}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {root}/authorized_keys\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nSetEnv HOME={root}\n"
    )
    public = (root / "host_key.pub").read_text().split()[:2]
    known = root / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {' '.join(public)}\n")
    return ThrowawayHost(port, getpass.getuser(), root / "client_key", known, root)


def _wait(process: subprocess.Popen[bytes], port: int, root: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = (root / "sshd.log").read_text(errors="replace") if (root / "sshd.log").exists() else ""
            raise NoSshd(f"sshd did not start: {log.strip()[-300:] or 'it said nothing'}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.settimeout(1)
            if probe.recv(4) == b"SSH-":
                return
        time.sleep(0.02)
    raise NoSshd("sshd did not listen in time.")
