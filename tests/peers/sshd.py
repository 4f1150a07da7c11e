"""A real sshd on loopback, in the foreground, with its own keys, configuration and log file.

``start_sshd(tmp_path, max_sessions=3)`` costs about 30 ms. What must be reachable by other accounts than ours
(authorized_keys, home directories) lies in ``peers_dir()``, because pytest's own directories are closed to them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.peers import need
from tests.peers.accounts import peers_dir
from transports.api import Auth, AuthMethod, Destination, TransportConfig

START_TIMEOUT = 10.0
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
LEGACY_LINES = (
    "KexAlgorithms diffie-hellman-group14-sha1",
    "Ciphers aes128-cbc",
    "MACs hmac-sha1",
    "HostKeyAlgorithms ssh-rsa",
)
LEGACY_CLIENT_OPTIONS = (
    ("KexAlgorithms", "+diffie-hellman-group14-sha1"),
    ("Ciphers", "+aes128-cbc"),
    ("HostKeyAlgorithms", "+ssh-rsa"),
)
"""What a client has to allow so that it can talk to ``start_sshd(..., legacy=True)``."""


def run(*argv: str, **kwargs: Any) -> str:
    """Run a helper program to its end and return its stdout; a failure shows its stderr."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed ({done.returncode}): {done.stderr.strip()}")
    return str(done.stdout)


def keygen(path: Path, kind: str = "ed25519", *, passphrase: str = "", comment: str = "lab", bits: int = 0) -> Path:
    """Make a key pair at ``path`` and ``path.pub``; returns the private key's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = ("-b", str(bits)) if bits else ()
    run("ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", comment, "-f", str(path))
    return path


def fingerprint(public_key: Path) -> str:
    """``SHA256:…`` of a public key file."""
    words: list[str] = run("ssh-keygen", "-l", "-E", "sha256", "-f", str(public_key)).split()
    return words[1]


def sign(ca: Path, public_key: Path, *, principals: Sequence[str], host: bool = False) -> Path:
    """Certify ``public_key`` with the private key ``ca``; returns the certificate's path."""
    kind = ("-h",) if host else ()
    run("ssh-keygen", "-q", "-s", str(ca), *kind, "-I", "lab", "-n", ",".join(principals), str(public_key))
    return public_key.with_name(public_key.name.removesuffix(".pub") + "-cert.pub")


@functools.cache
def rsa_host_key() -> Path:
    """One RSA key for all legacy servers of this test run: making one is slow."""
    return keygen(peers_dir() / "rsa_host_key", "rsa", bits=2048)


@functools.cache
def client_key() -> Path:
    """The private key (ed25519, no passphrase) that every test sshd accepts unless it is configured otherwise."""
    return keygen(peers_dir() / "client_key", comment="lab-client")


@functools.cache
def sshd_binary() -> str:
    found = shutil.which("sshd", path=SEARCH)
    need(found, "sshd is not installed")
    assert found is not None
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # privilege separation wants it; systemd makes it elsewhere
    return found


@functools.cache
def _sshd_knows(line: str) -> bool:
    """Whether this sshd accepts a configuration line (PerSourcePenalties is from 9.8)."""
    probe = peers_dir() / "probe_config"
    probe.write_text(f"HostKey {client_key()}\n{line}\n")
    return subprocess.run([sshd_binary(), "-t", "-f", str(probe)], check=False, capture_output=True).returncode == 0


def free_port(address: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@dataclass
class Sshd:
    """A running server. ``known_hosts`` vouches for it; ``user`` is the account that may log in with ``key``."""

    directory: Path
    address: str
    port: int
    user: str
    key: Path
    host_key: Path
    known_hosts: Path
    authorized_keys: Path
    config_file: Path
    log_file: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    @functools.cached_property
    def host_key_fingerprint(self) -> str:
        return fingerprint(self.host_key.with_name(self.host_key.name + ".pub"))

    @property
    def known_hosts_name(self) -> str:
        return f"[{self.address}]:{self.port}"

    def known_hosts_line(self) -> str:
        kind, blob = self.host_key.with_name(self.host_key.name + ".pub").read_text().split()[:2]
        return f"{self.known_hosts_name} {kind} {blob}\n"

    def destination(self, **changes: Any) -> Destination:
        """How to reach this server with the tests' client key; keywords override fields."""
        fields: dict[str, Any] = {
            "name": self.address,
            "port": self.port,
            "user": self.user,
            "auth": Auth(method=AuthMethod.KEY, key=str(self.key)),
        }
        return Destination(**(fields | changes))

    def transport_config(self, **changes: Any) -> TransportConfig:
        """Settings that know only this server and read no ssh_config but an empty one."""
        empty = self.directory / "empty_ssh_config"
        empty.touch(mode=0o600)
        fields: dict[str, Any] = {"ssh_config_file": str(empty), "known_hosts_file": str(self.known_hosts)}
        return TransportConfig(**(fields | changes))

    def log_text(self) -> str:
        return self.log_file.read_text(errors="replace")

    def logins(self) -> int:
        """How many logins the server has accepted so far, by its own log."""
        return len(re.findall(r"Accepted \S+ for ", self.log_text()))

    def wait_for_log(self, text: str, *, timeout: float = 10.0) -> str:
        """The log, once ``text`` is in it; sshd writes some lines only after the client has gone on."""
        wait_until(lambda: text in self.log_text(), f"{text!r} in sshd's log", timeout=timeout)
        return self.log_text()

    def session_processes(self) -> list[psutil.Process]:
        """Every process below the listener: one or two sshd per connection, and what runs in sessions."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill_sessions(self) -> int:
        """Kill every connection (and what it runs) with -9; the listener lives. Answers how many processes died."""
        victims = self.session_processes()
        kill_all(victims)
        return len(victims)

    def stop(self) -> None:
        """End the listener and everything below it. Idempotent."""
        below = self.session_processes()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        kill_all(below)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def kill_all(victims: Iterable[psutil.Process]) -> None:
    """Kill with -9 and wait until none runs any more; a zombie (a container's init may not reap) counts as ended."""
    victims = list(victims)
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    wait_until(lambda: not any(map(alive, victims)), "the end of killed processes")


def alive(process: psutil.Process) -> bool:
    """Whether a process still runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], object], what: str, *, timeout: float = 10.0) -> None:
    """Poll a condition of the outside world; it is an assertion error where it does not come true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {timeout} s: {what}")
        time.sleep(0.005)


def start_sshd(
    tmp_path: Path,
    *,
    address: str = "127.0.0.1",
    port: int | None = None,
    max_sessions: int | None = None,
    max_auth_tries: int | None = None,
    legacy: bool = False,
    password: bool = False,
    chroot: Path | None = None,
    force_command: str | None = None,
    subsystem: str | None = "internal-sftp",
    authorized_keys: str | None = None,
    host_key: Path | None = None,
    user: str | None = None,
    extra: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    inside: Sequence[str] = (),
) -> Sshd:
    """Start an sshd and wait until it listens. ``inside``: words before its own, which end in its exec.

    ``subsystem`` is the command behind ``sftp`` (None: no such subsystem). ``chroot`` confines every login to
    internal-sftp inside that directory (see ``make_chroot``). ``authorized_keys`` replaces the tests' client key.
    ``extra`` lines come first in sshd_config and so win. ``host_key`` reuses a key (a private key's path). As root any
    account may log in; ``user`` only says which one ``destination()`` names.
    """
    binary = sshd_binary()
    directory = _new_directory(tmp_path)
    if host_key is None:
        host_key = rsa_host_key() if legacy else keygen(directory / "host_key")
    keys_file = peers_dir() / f"authorized_keys.{os.getpid()}.{_serial()}"
    keys_file.write_text(client_key().with_suffix(".pub").read_text() if authorized_keys is None else authorized_keys)
    keys_file.chmod(0o644)
    lines = _config_lines(
        host_key, keys_file, max_sessions, max_auth_tries, legacy, password, chroot, force_command, subsystem
    )
    # for our own account: SetEnv in a Match block replaces the one before it
    variables = [line.removeprefix("SetEnv ") for line in extra if line.startswith("SetEnv ")]
    lines.append(" ".join(["SetEnv", f"HOME={_empty_home()}", *variables]))
    for _ in range(5):  # another process may take the port between our look and sshd's bind
        number = port or free_port(address)
        config = directory / "sshd_config"
        log = directory / "sshd.log"
        log.write_text("")
        config.write_text("\n".join([f"ListenAddress {address}", f"Port {number}", *extra, *lines]) + "\n")
        process = subprocess.Popen(
            [*inside, binary, "-D", "-f", str(config), "-E", str(log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )
        if _listens(process, log):
            break
    else:
        raise RuntimeError(f"sshd does not start: {log.read_text()}")
    account = user or pwd.getpwuid(os.geteuid()).pw_name
    known_hosts = directory / "known_hosts"
    server = Sshd(
        directory, address, number, account, client_key(), host_key, known_hosts, keys_file, config, log, process
    )
    known_hosts.write_text(server.known_hosts_line())
    return server


def _empty_home() -> Path:
    home = peers_dir() / "home"
    home.mkdir(mode=0o755, exist_ok=True)
    return home


def _config_lines(
    host_key: Path,
    keys_file: Path,
    max_sessions: int | None,
    max_auth_tries: int | None,
    legacy: bool,
    password: bool,
    chroot: Path | None,
    force_command: str | None,
    subsystem: str | None,
) -> list[str]:
    lines = [
        f"HostKey {host_key}",
        f"AuthorizedKeysFile {keys_file}",
        "PidFile none",
        "UsePAM no",
        "StrictModes no",
        "UseDNS no",
        "PermitRootLogin yes",
        "KbdInteractiveAuthentication no",
        f"PasswordAuthentication {'yes' if password else 'no'}",
        "PrintMotd no",
        "PrintLastLog no",
        "AcceptEnv LANG LC_*",
        "LogLevel VERBOSE",
        "MaxStartups 200:30:300",
    ]
    if max_sessions is not None:
        lines.append(f"MaxSessions {max_sessions}")
    if max_auth_tries is not None:
        lines.append(f"MaxAuthTries {max_auth_tries}")
    if legacy:
        lines.extend(LEGACY_LINES)
    if chroot is not None:
        lines += [f"ChrootDirectory {chroot}", "ForceCommand internal-sftp"]
    elif force_command is not None:
        lines.append(f"ForceCommand {force_command}")
    if subsystem is not None:
        lines.append(f"Subsystem sftp {subsystem}")
    if _sshd_knows("PerSourcePenalties no"):
        lines.append("PerSourcePenalties no")
    # bash reads ~/.bashrc under sshd: what this machine's own account does there is not ours to run, nor to wait for.
    # The accounts that tests make keep their homes. Last, because a Match block ends only with the file.
    me = pwd.getpwuid(os.geteuid()).pw_name
    return [*lines, f"Match User {me}"]


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if "Server listening" in log.read_text(errors="replace"):
            return True
        if process.poll() is not None:
            if "Address already in use" not in log.read_text(errors="replace"):
                raise RuntimeError(f"sshd ended at once: {log.read_text(errors='replace')}")
            return False
        time.sleep(0.002)
    process.kill()
    process.wait()
    return False


def _new_directory(tmp_path: Path) -> Path:
    directory = tmp_path / f"sshd-{_serial()}"
    directory.mkdir(mode=0o755)
    return directory


_counter = iter(range(1, 1 << 30))


def _serial() -> int:
    return next(_counter)
