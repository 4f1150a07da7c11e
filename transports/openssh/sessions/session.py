"""One session to a host, and the interface behind native, process and direct, which make them.

A session pushes what it gets into a ``SessionEvents`` (as asyncio's transports do into protocols): callbacks cost a
quarter of what a task per stream does (figures in ``native``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Literal, Protocol

from transports.api import LoginInfo, StreamName
from transports.errors import TransportError
from transports.openssh.masters.slots import Slots

BackendName = Literal["native", "process", "direct"]

WRITE_HIGH: Final = 256 * 1024
"""Bytes queued for stdin beyond which ``drain`` waits."""


class SessionEvents(Protocol):
    """Who hears what a session says. Called from the event loop; must not block or raise."""

    def data_received(self, stream: StreamName, data: bytes) -> None:
        """Bytes of stdout or stderr, never empty."""

    def stream_ended(self, stream: StreamName) -> None:
        """End of file on stdout or stderr: once each, unless the session is closed by us."""

    def session_exited(self, status: int | None) -> None:
        """Once: the remote exit status, or None where the session ended without one. Output may still follow."""

    def session_gone(self) -> None:
        """Once, behind ``session_exited``: the session is closed on the host too, and its slot there is free."""


class Handle(Protocol):
    """What sessions need to know of their master; without masters (direct) it is the host."""

    @property
    def control_path(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    @property
    def login(self) -> LoginInfo: ...

    @property
    def adopted(self) -> bool:
        """Whether another process logged in, and so may use sessions of the master too."""

    @property
    def via(self) -> tuple[str, ...]:
        """Names of the jump hosts, from us outwards."""


class Session(ABC):
    """A running remote command or subsystem. Made by an opener (``native.open_native`` and the like)."""

    backend: BackendName

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Queue bytes for stdin. Never blocks; dropped once the far end no longer reads."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait until no more than ``WRITE_HIGH`` bytes are queued, or nobody reads them any more."""

    @abstractmethod
    def close_stdin(self) -> None:
        """End of file for the far end's stdin behind what is queued. Idempotent."""

    @property
    @abstractmethod
    def stdin_open(self) -> bool:
        """False once stdin is closed by us or no longer read by the far end."""

    @abstractmethod
    def pause(self, stream: StreamName) -> None:
        """Stop reading a stream, so that the far end is held back."""

    @abstractmethod
    def resume(self, stream: StreamName) -> None:
        """Read again."""

    @abstractmethod
    def close(self) -> None:
        """Drop our side at once. This does *not* end what runs on the host (trap 8). Idempotent; no events follow."""


class Backend(Protocol):
    """One way to make sessions on a host: native, process or direct. One per host."""

    name: BackendName
    confirms: bool
    """Whether ``open`` returns only once the host has accepted the session."""
    masterless: bool
    """Whether each session logs in by itself."""
    opens_ahead: bool
    """Whether a session may be opened before its command is known (``warm``)."""

    def slots(self, most: int) -> Slots:
        """Fresh slots for a host that may have ``most`` connections."""

    async def launch(self, index: int) -> Handle:
        """The host's master of that number, up. Raises ConnectError and its kin."""

    def forget(self, handle: Handle) -> None:
        """The master turned out to be dead."""

    async def retire(self, handle: Handle) -> None:
        """Open no further session on this master: its host does not reply."""

    async def open(self, master: Handle, command: bytes, events: SessionEvents, *, subsystem: bool) -> Session:
        """Open a session for a command (for the login shell) or a subsystem (its name).

        Raises NoSlot, SessionRefused or MasterLost, with ``sent`` False, where it does not come to a session.
        """

    async def terminal(self, master: Handle, command: str | None) -> tuple[list[str], dict[str, str] | None]:
        """Argv and environment (None: ours) of an ssh that opens a session with a pseudo-terminal.

        ``command`` None is the login shell. Raises as ``open``.
        """

    async def diagnose(self, master: Handle, status: int | None, text: str, *, began: bool) -> TransportError | None:
        """Why a session ended with ``status`` and no sign of its command's own end; None where only it ended.

        ``text`` is what was said on stderr (or in the command's place); ``began`` says that the command had begun.
        """

    async def aclose(self) -> None:
        """End and reap whatever was started on our side. Bounded."""
