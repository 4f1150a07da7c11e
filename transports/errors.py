"""Everything that can go wrong between this program and a remote host.

The tree; the indented line is the more special error::

    TransportError
    ├── LocalError              our own machine: no ssh, socket directory unsafe, path too long
    ├── ConnectError            no login: refused, unreachable, timed out, unresolvable, no common algorithm,
    │   │                       bad permissions, jump host failed (``hop`` names it)
    │   ├── UnknownHost         no known key for the host
    │   ├── HostKeyMismatch     another key than the known one
    │   ├── Unreachable         no ssh server replied at all: the host paid nothing for the attempt
    │   ├── AuthenticationFailed  the server accepted none of our credentials
    │   └── AgentFingerprintNotFound  the pinned key is not in the agent
    ├── MasterLost              the master (or its connection) ended under a session
    │   └── MasterStalled       it has not ended, and no reply of the host comes through it
    ├── SessionRefused          sshd or the account refuses a further session, exec or subsystem
    ├── ProtocolError           the peer broke the mux or SFTP protocol
    ├── SFTPSubsystemUnavailable  the host offers no usable SFTP
    └── RemoteError             the host replied, with a failure
        └── FileError           an SFTP status or errno-like failure about one path (``kind`` says which)

Every error carries ``what`` (one sentence: what happened) and ``remedy`` (one sentence: what to do, may be empty).
Neither ever holds a secret. ``public_name`` is the class name that clients see.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class TransportError(Exception):
    """Base of the tree. ``sent`` is False only where nothing irrevocable can have reached the host."""

    public_name: ClassVar[str] = "RemoteError"

    def __init__(self, what: str, remedy: str = "", *, sent: bool = True, hop: str | None = None) -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy
        self.sent = sent
        self.hop = hop


class LocalError(TransportError):
    """Our own side cannot do it: missing or old OpenSSH, an unsafe socket directory, too long a socket path."""

    public_name = "ConnectError"


class ConnectError(TransportError):
    """No login to the host (or to the jump host named in ``hop``)."""

    public_name = "ConnectError"


class Unreachable(ConnectError):
    """No ssh server replied: name not resolved, connection refused, no route, or silence until the time limit."""


class UnknownHost(ConnectError):
    """No known_hosts entry covers the key that the host offers."""

    public_name = "UnknownHost"


class HostKeyMismatch(ConnectError):
    """The host offers another key than the known one."""

    public_name = "HostKeyMismatch"


class AuthenticationFailed(ConnectError):
    """The server accepted none of the credentials that we may use."""

    public_name = "AuthenticationFailed"


class AgentFingerprintNotFound(ConnectError):
    """The fingerprint pinned for the host is not among the agent's keys."""

    public_name = "AgentFingerprintNotFound"


@dataclass(frozen=True, slots=True)
class PartialOutput:
    """What a command had printed when its connection was lost: the first bytes of both streams, and their lengths."""

    stdout: bytes
    stderr: bytes
    stdout_total: int
    stderr_total: int


class MasterLost(TransportError):
    """The master or its TCP connection ended while a session was using it.

    ``partial`` is what the command had printed until then, where a command was running: nothing of it is in ``str()``.
    """

    public_name = "MasterLost"
    partial: PartialOutput | None = None


class MasterStalled(MasterLost):
    """The master runs, but the host does not reply over its connection.

    What already runs over it may go on, if the host is only slow; for new sessions there has to be another master.
    """


class SessionRefused(TransportError):
    """The host accepted the login but refuses the session, the command or the subsystem.

    ``no_shell``: it starts no shell for this account, whatever the command; nothing was run. ``broke_off``: it seems so
    because a session ended without a word or a status before anything was sent over it.
    """

    public_name = "SessionRefused"
    broke_off = False

    def __init__(self, what: str, remedy: str = "", *, sent: bool = True, no_shell: bool = False) -> None:
        super().__init__(what, remedy, sent=sent)
        self.no_shell = no_shell


class ProtocolError(TransportError):
    """The peer sent what the mux or SFTP protocol does not allow."""

    public_name = "RemoteError"


class SFTPSubsystemUnavailable(TransportError):
    """The host offers no SFTP subsystem, or something else speaks on its channel."""

    public_name = "SFTPSubsystemUnavailable"


class RemoteError(TransportError):
    """The host replied with a refusal."""

    public_name = "RemoteError"


class FileErrorKind(StrEnum):
    """Causes that SFTP status codes and a second look can distinguish."""

    NOT_FOUND = "not_found"
    PERMISSION = "permission"
    EXISTS = "exists"
    NOT_EMPTY = "not_empty"
    IS_DIRECTORY = "is_directory"
    NOT_DIRECTORY = "not_directory"
    NO_SPACE = "no_space"
    READ_ONLY = "read_only"
    CROSS_DEVICE = "cross_device"
    TOO_LONG = "too_long"
    UNSUPPORTED = "unsupported"
    FAILURE = "failure"


class FileError(RemoteError):
    """A file operation failed; ``path`` is the remote path as sent, ``kind`` the cause as far as it is known."""

    def __init__(self, kind: FileErrorKind, path: str, what: str, remedy: str = "", *, sent: bool = True) -> None:
        super().__init__(what, remedy, sent=sent)
        self.kind = kind
        self.path = path
