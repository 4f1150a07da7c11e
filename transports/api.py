"""What the rest of the program sees of a transport: values and protocols, no code that does anything.

Text that crosses this boundary as ``str`` (paths, commands) is UTF-8 with ``surrogateescape``, so that every byte
string a POSIX host can hold survives. Durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, NewType, Protocol

CommandLine = NewType("CommandLine", str)
"""Shell text that may run on a host. Only what decides about text makes one, so that a type checker finds the rest."""

# --- where to -------------------------------------------------------------------------------------------------------


class AuthMethod(StrEnum):
    """How a host wants to be logged in to. ``AUTO`` leaves it to ssh and the operator's ssh_config."""

    AUTO = "auto"
    AGENT = "agent"
    KEY = "key"
    PASSWORD = "password"


@dataclass(frozen=True, slots=True)
class Auth:
    """Credentials of one host by reference: nothing in here is itself a secret.

    ``*_cmd`` are command lines run locally through ``sh -c`` whose first line of stdout is the secret.
    """

    method: AuthMethod = AuthMethod.AUTO
    identity_agent: str | None = None
    identity_fingerprint: str | None = None
    identities_only: bool | None = None
    key: str | None = None
    passphrase_cmd: str | None = None
    password_cmd: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """One host, as passed to ssh.

    ``name`` is the word given to ssh (an alias of the operator's ssh_config or a hostname); the other fields, where
    set, override what the operator's ssh_config says for it. ``jump`` is ordered from us outwards; each hop is a
    destination of its own with its own credentials. ``options`` are extra ssh_config keywords, already vetted.
    """

    name: str
    hostname: str | None = None
    user: str | None = None
    port: int | None = None
    auth: Auth = field(default_factory=Auth)
    jump: tuple[Destination, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    windows: bool = False


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """What holds for all hosts. ``known_hosts_file`` None means ssh's own files; ``backend`` auto picks native."""

    ssh_config_file: str | None = None
    known_hosts_file: str | None = None
    default_user: str | None = None
    default_key: str | None = None
    connect_timeout: float = 10.0
    idle_timeout: float = 300.0
    keepalive_interval: float = 30.0
    max_connections_per_host: int = 4
    backend: Literal["auto", "native", "process", "direct"] = "auto"
    control_dir: str | None = None


# --- commands -------------------------------------------------------------------------------------------------------

StreamName = Literal["stdout", "stderr"]
OutputSink = Callable[[StreamName, bytes], None]


@dataclass(frozen=True, slots=True)
class Completed:
    """How one remote command ended.

    ``exit_code`` is the shell's (128+n after signal n, and then ``signal`` names it, e.g. ``"TERM"``); -1 where the
    command was ended by us or its status never arrived. ``stdout``/``stderr`` hold at most the caps asked for (the
    first bytes); the ``*_total`` counts are true. ``lingering`` says that a background child still held the pipes,
    ``unended`` that a command that timed out could not be ended, because its host no longer replied.
    """

    exit_code: int
    signal: str | None
    stdout: bytes
    stderr: bytes
    stdout_total: int
    stderr_total: int
    duration: float
    timed_out: bool = False
    lingering: bool = False
    unended: bool = False


class RemoteProcess(Protocol):
    """A running remote command with its three streams: what shells and streaming commands use."""

    @property
    def pgid(self) -> int:
        """Remote process group id, as reported by the command frame."""

    async def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdin. Raises MasterLost where the session is gone."""

    async def close_stdin(self) -> None:
        """Send end of file."""

    async def read(self, stream: StreamName, limit: int = 65536) -> bytes:
        """Some bytes of one stream; empty at its end."""

    async def wait(self) -> int:
        """Exit code once both streams have ended. Raises MasterLost where it can no longer be known."""

    async def signal(self, name: str, *, children_only: bool = False) -> None:
        """Signal the remote process group (or only the shell's children) from a second session."""

    async def terminate(self) -> None:
        """TERM, grace, KILL for the remote group, then close. Idempotent, shielded from cancellation, bounded."""

    async def aclose(self) -> None:
        """Close our side; a process still running is terminated first."""


class Terminal(Protocol):
    """A session with a pseudo-terminal: both output streams are one, and what is typed is the program's to echo."""

    @property
    def status(self) -> int | None:
        """Exit status (255 also where the connection was lost); None while it runs."""

    async def read(self, limit: int = 65536) -> bytes:
        """Some bytes of output; empty at its end. One reader at a time."""

    async def check_lost(self) -> None:
        """Raises MasterLost where its end was the connection's; nothing while it runs, and where only it ended."""

    async def write(self, data: bytes) -> None:
        """Type all of ``data``. Raises RemoteError where the terminal has ended, MasterLost."""

    async def resize(self, columns: int, rows: int) -> None:
        """Set a new size on the far side, in characters."""

    async def aclose(self) -> None:
        """End the session: the host hangs the terminal up (SIGHUP). Idempotent, shielded, bounded."""


# --- files ----------------------------------------------------------------------------------------------------------


class FileAttributes(NamedTuple):
    """SFTP version 3 attributes (draft-ietf-secsh-filexfer-02 section 5). ``None`` is "not sent" or "leave alone".

    A tuple, because a listing makes ten thousands: a frozen dataclass takes three times as long to make.
    """

    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    permissions: int | None = None
    atime: int | None = None
    mtime: int | None = None

    @property
    def kind(self) -> Literal["file", "directory", "symlink", "other", "unknown"]:
        """File type out of the permission bits (``S_IFMT``)."""
        if self.permissions is None:
            return "unknown"
        return _KINDS.get(self.permissions & 0o170000, "other")


_KINDS: dict[int, Literal["file", "directory", "symlink"]] = {
    0o100000: "file",
    0o040000: "directory",
    0o120000: "symlink",
}


class DirectoryEntry(NamedTuple):
    """One READDIR entry. ``longname`` is the server's ``ls -l`` line: it may carry owner and group names."""

    name: str
    longname: bytes
    attributes: FileAttributes


@dataclass(frozen=True, slots=True)
class FilesystemStatus:
    """statvfs@openssh.com: free space for us and in all, in bytes, and the flags (1 = read-only)."""

    total: int
    free: int
    available: int
    flags: int


Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all (None: unknown). Must not block."""

OpenMode = Literal["r", "w", "x", "r+"]
"""r: read. w: write, create, truncate. x: write, create, must not exist. r+: read and write, must exist."""


class FileHandle(Protocol):
    """An open remote file. Offsets are absolute; nothing is buffered."""

    async def stat(self) -> FileAttributes: ...

    async def setstat(self, attributes: FileAttributes) -> None: ...

    async def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes unless the file ends before: pipelined, short DATA is asked for again."""

    def read_stream(self, offset: int, length: int | None) -> AsyncGenerator[bytes, None]:
        """Contiguous chunks in order with about 2 MiB in flight; ``length`` None reads to the end of the file."""

    def write(self, offset: int, data: bytes) -> Awaitable[None]:
        """Write all of ``data``; the call itself sends the first MiB at least, and what is asked next is behind it."""

    async def write_stream(
        self, chunks: AsyncIterator[bytes], *, offset: int = 0, progress: Progress | None = None
    ) -> int:
        """Write chunks one behind the other with about 2 MiB in flight; returns the number of bytes written."""

    async def download(
        self, fd: int, *, offset: int = 0, length: int | None = None, progress: Progress | None = None
    ) -> int:
        """Copy to the same offsets of a local descriptor, in bulk; the number of bytes. Raises OSError too.

        After a failure the local file ends behind the last byte that is right.
        """

    async def upload(
        self, fd: int, *, offset: int = 0, length: int | None = None, progress: Progress | None = None
    ) -> int:
        """Copy from the same offsets of a local descriptor, in bulk; the number of bytes. Raises OSError too."""

    async def relay(
        self,
        target: FileHandle,
        *,
        offset: int = 0,
        length: int | None = None,
        progress: Progress | None = None,
        on_block: Callable[[memoryview], None] | None = None,
    ) -> int:
        """Copy to another open remote file, perhaps of another host; ``on_block`` sees the bytes in order."""

    async def fsync(self) -> bool:
        """fsync@openssh.com; False where the server has no such extension."""

    async def close(self) -> None:
        """Idempotent. Raises FileError where the host reports a late write error."""


class Files(Protocol):
    """A host's SFTP service. Every failure about a path is ``FileError``; a lost channel is ``MasterLost``."""

    @property
    def extensions(self) -> frozenset[str]:
        """Names of the extensions the server offers, those whose version we know."""

    @property
    def read_chunk(self) -> int:
        """Largest READ that the server serves in full, bytes."""

    async def realpath(self, path: str) -> str:
        """Absolute path with links followed; a missing last component is allowed (OpenSSH), not a missing parent."""

    async def stat(self, path: str) -> FileAttributes: ...

    async def lstat(self, path: str) -> FileAttributes: ...

    async def lookup(self, path: str) -> FileAttributes | None:
        """``lstat``, or None where nothing is: without the second look that a failure is explained by."""

    async def setstat(self, path: str, attributes: FileAttributes) -> None: ...

    async def readlink(self, path: str) -> str: ...

    def scandir(self, path: str) -> AsyncIterator[list[DirectoryEntry]]:
        """Entries without ``.`` and ``..``, in the lists that the server sends. Names with a slash: ProtocolError."""

    async def open(self, path: str, mode: OpenMode, permissions: int | None = None) -> FileHandle: ...

    async def mkdir(self, path: str, permissions: int | None = None) -> None: ...

    async def rmdir(self, path: str) -> None: ...

    async def remove(self, path: str) -> None: ...

    async def rename(self, old: str, new: str) -> None:
        """Plain RENAME: fails with EXISTS where ``new`` exists."""

    async def replace(self, old: str, new: str) -> None:
        """posix-rename@openssh.com: atomic, overwrites. UNSUPPORTED where not offered."""

    async def symlink(self, target: str, link: str) -> None: ...

    async def hardlink(self, existing: str, link: str) -> None: ...

    async def statvfs(self, path: str) -> FilesystemStatus | None:
        """None where the server has no such extension."""

    async def copy_data(self, source: FileHandle, target: FileHandle) -> bool:
        """copy-data extension: the server copies source to target; False where it is not offered."""

    async def names(self, uids: Sequence[int], gids: Sequence[int]) -> tuple[dict[int, str], dict[int, str]]:
        """users-groups-by-id@openssh.com; empty maps where it is not offered."""


# --- connections ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """What the login showed: from ssh's log, or None where a foreign process did the login and no log is left."""

    server_version: str | None = None
    host_key_fingerprint: str | None = None
    auth_method: str | None = None
    banner: str | None = None


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One live master (or direct process) for ``ssh_session_list``. ``via`` names the jump hosts, nearest first."""

    user: str
    host: str
    port: int
    idle_seconds: float
    pid: int | None
    transport: Literal["native", "process", "direct"]
    active_channels: int
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effective:
    """The host that ``ssh -G`` says would really be connected to. ``jump`` holds the hops' real hostnames,
    ``jump_names`` what they are called where the way is described.
    """

    hostname: str
    user: str
    port: int
    jump: tuple[str, ...] = ()
    proxy_command: str | None = None
    jump_names: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class HostKeyCheck:
    """Result of looking at a host's key. Fingerprints are ``SHA256:…``; ``expected`` None: nothing known."""

    expected: str | None
    live: str | None
    matches: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RsyncCopy:
    """Files to be copied between a local and a remote directory, with their modes and times.

    ``names``: paths relative to both, each ended by NUL and begun by ``./``. ``local``: descriptor of the directory
    here. ``total``: bytes of all, for progress. ``partial_dir``: where the beginning of a file is kept when the copy is
    cut; None: under the file's own name. ``max_file_bytes`` ends a copy that writes a longer file here.
    """

    names: bytes
    local: int
    remote: str
    upload: bool
    total: int = 0
    ignore_times: bool = False
    partial_dir: str | None = None
    max_file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RsyncEnded:
    """Exit status as in rsync(1), EXIT VALUES, and the begin of what it said on stderr."""

    exit_code: int
    stderr: bytes


class ForwardedStream(Protocol):
    """One byte stream carried to a target beyond the host."""

    async def wait(self) -> None:
        """Until both directions have ended, or the master is gone."""

    def close(self) -> None:
        """Forget it. The descriptors' other ends decide when it ends. Idempotent."""


class RemoteListener(Protocol):
    """A port of the host's loopback whose connections arrive at a target that this machine reaches."""

    @property
    def port(self) -> int: ...

    async def listening(self) -> bool:
        """Whether the host's port still accepts connections, tried through the host itself."""

    async def close(self) -> bool:
        """Stop listening; True once a connection to the port was refused, which proves it. Idempotent."""


class Connection(Protocol):
    """One host through the transport. Cheap to obtain; brings up masters on first use and again after a loss."""

    @property
    def destination(self) -> Destination: ...

    async def login(self) -> LoginInfo:
        """Make sure that the host is logged in to (jump hosts first). Raises ConnectError and its kin."""

    async def run(
        self,
        command: CommandLine,
        *,
        stdin: bytes | AsyncIterator[bytes] | None = None,
        timeout: float | None = None,
        stdout_cap: int = 1 << 20,
        stderr_cap: int = 1 << 20,
        on_output: OutputSink | None = None,
        framed: bool = True,
        idempotent: bool = False,
        leaves: bool = False,
        prelude: str = "",
    ) -> Completed:
        """Run shell text to its end.

        With ``framed`` it runs by ``sh`` under our command frame in a process group of its own, and a timeout or a
        cancellation ends that group (TERM, grace, KILL) before this returns or raises; a timeout is not an error but
        ``timed_out``, with the partial output. ``framed=False`` sends ``command`` to the login shell as it is
        (Windows).
        ``leaves`` gives it (on Linux) a shell function ``leave``: it completes the command with status 0, while its
        shell goes on without the session.
        ``prelude`` is one line of our own shell text that runs before ``command``; sessions that are opened ahead after
        such a call read it ahead too, so that it costs later calls no time.
        ``idempotent`` allows one retry after MasterLost. ``on_output`` sees every byte, also beyond the caps.
        """

    async def start(self, command: CommandLine) -> RemoteProcess:
        """Start shell text under our command frame and hand out its streams."""

    async def terminal(self, command: CommandLine | None, columns: int, rows: int) -> Terminal:
        """Open a session with a pseudo-terminal for ``command``, as the login shell takes it; None: that shell itself.

        Raises NoSlot, SessionRefused, MasterLost, and ConnectError and its kin.
        """

    async def connect_through(self, host: str, port: int, fds: tuple[int, int]) -> ForwardedStream:
        """Carry what is read from ``fds[0]`` to ``host``:``port``, as the host reaches it, and back to ``fds[1]``.

        The descriptors stay the caller's, who closes its copies. Raises SessionRefused with ssh's reason where the far
        end does not connect, MasterLost, and ConnectError and its kin.
        """

    async def listen_on_host(self, port: int, target_host: str, target_port: int) -> RemoteListener:
        """Listen on 127.0.0.1:``port`` of the host (0: it chooses) for a target that this machine reaches.

        Raises SessionRefused with ssh's reason, MasterLost, and ConnectError and its kin.
        """

    def rsync_available(self) -> bool:
        """Whether this machine has an rsync, and the connection a master that it can use."""

    async def rsync(self, copy: RsyncCopy, progress: Progress | None = None) -> RsyncEnded:
        """Copy files by rsync over the master. The host must have it. Raises MasterLost, LocalError, ConnectError."""

    async def files(self) -> Files:
        """The host's SFTP service over one kept channel, opened at need. Raises SFTPSubsystemUnavailable."""


class Transport(Protocol):
    """All hosts. One per server process."""

    def connection(self, destination: Destination) -> Connection:
        """No I/O; the same destination gives the same connection."""

    async def effective(self, destination: Destination) -> Effective:
        """What ssh would really do for the destination (``ssh -G``). Cached while no configuration file changes."""

    async def verify_host_key(self, destination: Destination) -> HostKeyCheck:
        """Ask the live host for its key without logging in and compare it with what ssh knows."""

    def sessions(self) -> tuple[SessionStatus, ...]: ...

    async def aclose(self) -> None:
        """Close what is ours: SFTP channels, sessions, and masters that nobody else uses."""
