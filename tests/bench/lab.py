"""What is measured on: sshds on loopback, a server over them, and bare OpenSSH beside it with the same keys."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.rpc import RpcServer
from tests.peers.sshd import Sshd, start_sshd

ALIAS = "h{}"


@dataclass
class BenchLab:
    """Servers, a scratch directory on "the host" (this machine), and the environment of ssh-mcp."""

    root: Path
    sshds: list[Sshd]
    env: dict[str, str]
    files: Path
    python: str = sys.executable
    _servers: list[RpcServer] = field(default_factory=list)

    @property
    def first(self) -> Sshd:
        return self.sshds[0]

    def server(self, **settings: str) -> RpcServer:
        """A fresh ssh-mcp process."""
        server = RpcServer([sys.executable, "-m", "ssh_mcp"], {**self.env, **settings}, log=self.root / "server.log")
        self._servers.append(server)
        return server

    def ssh_options(self, number: int = 0) -> list[str]:
        """Bare OpenSSH's options for one sshd: the same key and known_hosts, nothing else changed."""
        sshd = self.sshds[number]
        return [
            "-F", "none", "-i", str(sshd.key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", f"UserKnownHostsFile={self.root / 'known_hosts'}", "-o", "StrictHostKeyChecking=yes",
        ]  # fmt: skip

    def ssh(self, *command: str, number: int = 0, extra: Sequence[str] = ()) -> list[str]:
        sshd = self.sshds[number]
        return ["ssh", *self.ssh_options(number), *extra, "-p", str(sshd.port), f"{sshd.user}@{sshd.address}", *command]

    @contextlib.contextmanager
    def bare_master(self, number: int = 0) -> Iterator[list[str]]:
        """A ControlMaster of bare ssh; yields the options of a client on it."""
        path = self.root / f"m{number}"
        subprocess.run(
            self.ssh(number=number, extra=["-M", "-N", "-f", "-o", "ControlPersist=60", "-S", str(path)]),
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield ["-S", str(path)]
        finally:
            subprocess.run(["ssh", "-F", "none", "-S", str(path), "-O", "exit", "x"], check=False, capture_output=True)

    def close_servers(self) -> None:
        for server in self._servers:
            server.close()

    def close(self) -> None:
        self.close_servers()
        for sshd in self.sshds:
            sshd.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def scratch() -> Path:
    """A fresh directory in memory where there is room: neither our fsync nor the disk's other users are the subject."""
    shared = "/dev/shm"
    roomy = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= 8 << 30
    return Path(tempfile.mkdtemp(prefix="smb-", dir=shared if roomy else "/tmp"))


@contextlib.contextmanager
def bench_lab(count: int, *, extra: Sequence[str] = (), addresses: Sequence[str] | None = None) -> Iterator[BenchLab]:
    """``count`` sshds and a hosts.toml with aliases h0, h1 …; everything is removed at the end."""
    root = scratch()
    sshds: list[Sshd] = []
    lab = BenchLab(root, sshds, environment(root), root / "files")
    try:
        for number in range(count):
            address = addresses[number % len(addresses)] if addresses else "127.0.0.1"
            sshds.append(start_sshd(root, address=address, extra=["MaxStartups 500", *extra]))
        (root / "known_hosts").write_text("".join(s.known_hosts_line() for s in sshds))
        tables = [
            f'[hosts.{ALIAS.format(n)}]\nhostname = "{s.address}"\nport = {s.port}\nuser = "{s.user}"\n'
            f'path_allowlist = ["*"]\ncommand_allowlist = ["*"]\nforward_local = ["127.0.0.1:*"]\n'
            f'[hosts.{ALIAS.format(n)}.auth]\nmethod = "key"\nkey = "{s.key}"\nidentities_only = true\n'
            for n, s in enumerate(sshds)
        ]
        (root / "hosts.toml").write_text("\n".join(tables))
        (root / "run").mkdir(mode=0o700)
        lab.files.mkdir()
        yield lab
    finally:
        lab.close()


def environment(root: Path) -> dict[str, str]:
    (root / "ssh_config").touch(mode=0o600)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "XDG_RUNTIME_DIR": str(root / "run"),
        "SSH_HOSTS_FILE": str(root / "hosts.toml"),
        "SSH_CONFIG_FILE": str(root / "ssh_config"),
        "SSH_KNOWN_HOSTS": str(root / "known_hosts"),
        "SSH_HOST_NOTES_DIR": str(root / "notes"),
        "SSH_LOCAL_TRANSFER_ROOTS": str(root),
        "SSH_AUDIT_FILE": str(root / "audit.jsonl"),
        "ALLOW_LOW_ACCESS_TOOLS": "true",
        "ALLOW_DANGEROUS_TOOLS": "true",
        "ALLOW_ANY_COMMAND": "true",
        "SSH_EXEC_ALLOW_CHEATSHEET_PATTERNS": "true",
        "SSH_REDACT_SALT": "0123456789abcdef0123456789abcdef",
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
