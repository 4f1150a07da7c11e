"""Sessions without multiplexing: one ssh process and one login each. For Windows clients, whose ssh has no masters."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from transports.api import Destination, LoginInfo
from transports.errors import MasterLost, TransportError
from transports.openssh.masters.slots import Slots
from transports.openssh.sessions.process import SSH_FAILED
from transports.openssh.sessions.session import BackendName, Handle, Session, SessionEvents
from transports.openssh.sessions.spawned import Spawner

_BROKEN: Final = re.compile(
    r"^(clientloop\.c:[^\n]*: )?"  # where LogVerbose speaks
    r"(Connection (to .* closed|closed by|reset by)|Read from remote host |client_loop: |Timeout, server "
    r"|.*Broken pipe|kex_|ssh_dispatch)",
    re.MULTILINE,
)
"""What ssh 8.0 to 10 says when an established connection ends under it (clientloop.c, packet.c)."""


class DirectLauncher(Protocol):
    """What direct sessions use of ``MasterLauncher``."""

    def prepare_direct(self, destination: Destination) -> Awaitable[None]: ...

    def direct_argv(
        self, destination: Destination, *, subsystem: str | None, command: str | None, tty: bool = False
    ) -> tuple[list[str], dict[str, str]]: ...

    @property
    def explain_direct(self) -> Callable[[Destination, str], TransportError | None]: ...


@dataclass(frozen=True, slots=True)
class NoMaster:
    """Takes the place of a master's handle."""

    control_path: str = ""
    pid: int | None = None
    login: LoginInfo = field(default_factory=LoginInfo)
    adopted: bool = False
    via: tuple[str, ...] = ()


class DirectBackend:
    """Sessions through a local ssh each that logs in by itself."""

    name: BackendName = "direct"
    confirms = False
    masterless = True
    opens_ahead = False

    def __init__(self, launcher: DirectLauncher, destination: Destination) -> None:
        self._launcher = launcher
        self._destination = destination
        self._spawner = Spawner("direct")

    def slots(self, most: int) -> Slots:
        """Each session is a login of its own: the bound is on logins, with one more for ending things."""
        return Slots(max_masters=1, limit=most + 1, highest=most + 1, spare=False)

    async def launch(self, index: int) -> Handle:
        del index
        return NoMaster()

    def forget(self, handle: Handle) -> None:
        """There is nothing to forget."""

    async def retire(self, handle: Handle) -> None:
        """There is nothing to retire."""

    async def open(self, master: Handle, command: bytes, events: SessionEvents, *, subsystem: bool) -> Session:
        del master
        await self._launcher.prepare_direct(self._destination)
        text = command.decode("utf-8", "surrogateescape")
        argv, env = self._launcher.direct_argv(
            self._destination, subsystem=text if subsystem else None, command=None if subsystem else text
        )
        return await self._spawner.open(argv, events, env=env)

    async def terminal(self, master: Handle, command: str | None) -> tuple[list[str], dict[str, str] | None]:
        del master
        await self._launcher.prepare_direct(self._destination)
        return self._launcher.direct_argv(self._destination, subsystem=None, command=command, tty=True)

    async def diagnose(self, master: Handle, status: int | None, text: str, *, began: bool) -> TransportError | None:
        del master
        if status is not None and status != SSH_FAILED:
            return None
        error = self._launcher.explain_direct(self._destination, text)
        if not began:
            return error
        # ssh is silent where the command was killed by a signal, and says so where its connection broke.
        if status is None or error is not None or _BROKEN.search(text):
            return MasterLost(
                "The connection to the host was lost while the command ran.",
                "What still runs there is ended by the next call. Call again; look first whether the command had "
                "an effect.",
            )
        return None

    async def aclose(self) -> None:
        await self._spawner.aclose()
