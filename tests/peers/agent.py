"""An ssh-agent of our own, in the foreground, on a short socket path."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers import need
from tests.peers.sshd import keygen, run, wait_until


@dataclass
class Agent:
    """A running agent; ``socket`` is what SSH_AUTH_SOCK or IdentityAgent wants."""

    directory: Path
    socket: str
    process: subprocess.Popen[bytes] = field(repr=False)

    def add(self, key: Path) -> None:
        """Load a private key without passphrase (and the certificate beside it, where there is one)."""
        run("ssh-add", "-q", str(key), env={"SSH_AUTH_SOCK": self.socket, "PATH": "/usr/bin:/bin"})

    def add_new(self, count: int) -> list[Path]:
        """Load ``count`` fresh keys that no server knows."""
        keys = [keygen(self.directory / f"stray{n}", comment=f"stray-{n}") for n in range(count)]
        for key in keys:
            self.add(key)
        return keys

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(5)
        shutil.rmtree(self.directory, ignore_errors=True)


def start_agent() -> Agent:
    """Start an empty agent and wait until it accepts connections."""
    need(shutil.which("ssh-agent"), "ssh-agent is not installed")
    directory = Path(tempfile.mkdtemp(prefix="smcp-ag-", dir="/tmp"))
    path = str(directory / "s")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: _accepts(path), "the agent's socket")
    return Agent(directory, path, process)


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
