"""SSH servers that are not OpenSSH, on loopback: dropbear, and tinysshd under tcpserver.

Neither makes a process group for a session; tinysshd serves one session per connection. Both read
``~/.ssh/authorized_keys`` of the account, which ``let_in`` writes.
"""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.peers import need
from tests.peers.accounts import Account
from tests.peers.sshd import SEARCH, Sshd, client_key, free_port, keygen, run, wait_until


def let_in(account: Account) -> None:
    """Let the tests' client key log in to the account."""
    directory = account.home / ".ssh"
    directory.mkdir(mode=0o700, exist_ok=True)
    keys = directory / "authorized_keys"
    keys.write_text(client_key().with_suffix(".pub").read_text())
    keys.chmod(0o600)
    for path in (directory, keys):
        os.chown(path, account.uid, -1)


def start_dropbear_for_root(tmp_path: Path) -> Sshd:
    """A dropbear for root, who in it, and in its sessions, has another home: a bind mount of a namespace of its own."""
    need(os.geteuid() == 0 and shutil.which("unshare"), "a home of root's own needs root and unshare")
    home = _directory(tmp_path, f"home-{len(list(tmp_path.iterdir()))}")
    real = Path(pwd.getpwuid(0).pw_dir)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    inside = ("unshare", "-m", "sh", "-c", script, "sh", str(home), str(real))
    return start_dropbear(home, Account("root", home, "/bin/sh", 0), inside=inside)


def start_dropbear(tmp_path: Path, account: Account, *, inside: Sequence[str] = ()) -> Sshd:
    """A dropbear that lets the account in; one listener, sessions below it. ``inside``: words before its own."""
    binary, convert = _program("dropbear"), _program("dropbearconvert")
    directory = _directory(tmp_path, "dropbear")
    host_key = keygen(directory / "host_key", "rsa", bits=2048)
    run("ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-P", "", "-f", str(host_key))
    own = directory / "dropbear_key"
    run(convert, "openssh", "dropbear", str(host_key), str(own))
    port = free_port()
    argv = [*inside, binary, "-F", "-E", "-r", str(own), "-p", f"127.0.0.1:{port}", "-P", str(directory / "pid")]
    return _start(directory, argv, port, account, host_key)


def start_tinysshd(tmp_path: Path, account: Account) -> Sshd:
    """A tinysshd for each connection that tcpserver accepts. It wants no component of the home writable by others."""
    binary, listener = _program("tinysshd"), _program("tcpserver")
    directory = _directory(tmp_path, "tinysshd")
    keys = directory / "keys"
    run(_program("tinysshd-makekey"), str(keys))
    blob = (keys / "ed25519.pk").read_bytes()
    host_key = directory / "host_key"
    wire = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", blob))
    host_key.with_name("host_key.pub").write_text(f"ssh-ed25519 {base64.b64encode(wire).decode()}\n")
    port = free_port()
    argv = [listener, "-HRDl0", "127.0.0.1", str(port), binary, "-v", "-x", f"sftp={_sftp_server()}", str(keys)]
    return _start(directory, argv, port, account, host_key)


def _program(name: str) -> str:
    found = shutil.which(name, path=SEARCH)
    need(found, f"{name} is not installed")
    assert found is not None
    return found


def _sftp_server() -> str:
    return next((p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server") if Path(p).exists()), "false")


def _directory(tmp_path: Path, name: str) -> Path:
    directory = tmp_path / name
    directory.mkdir()
    return directory


def _start(directory: Path, argv: list[str], port: int, account: Account, host_key: Path) -> Sshd:
    let_in(account)
    log = directory / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    wait_until(lambda: process.poll() is not None or _accepts(port), f"{argv[0]} on port {port}")
    assert process.poll() is None, log.read_text()
    known_hosts = directory / "known_hosts"
    server = Sshd(
        directory, "127.0.0.1", port, account.name, client_key(), host_key, known_hosts, account.home / ".ssh",
        directory / "config", log, process,
    )  # fmt: skip
    known_hosts.write_text(server.known_hosts_line())
    return server


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
