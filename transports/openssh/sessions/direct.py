"""Sessions without multiplexing: one ssh process and one login each. For Windows clients, whose ssh has no masters."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from transports.api import Destination
from transports.errors import MasterLost, TransportError
from transports.openssh.sessions.process import SSH_FAILED
from transports.openssh.sessions.session import Backend, Controlled, Session, SessionEvents
from transports.openssh.sessions.spawned import Spawner

_BROKEN: Final = re.compile(
    r"^(clientloop\.c:[^\n]*: )?"  # where LogVerbose speaks
    r"(Connection (to .* closed|closed by|reset by)|Read from remote host |client_loop: |Timeout, server "
    r"|.*Broken pipe|kex_|ssh_dispatch)",
    re.MULTILINE,
)
"""What ssh 8.0 to 10 says when an established connection ends under it (clientloop.c, packet.c)."""


class DirectLauncher(Protocol):
    """What of ``MasterLauncher`` stands behind direct sessions."""

    def prepare_direct(self, destination: Destination) -> Awaitable[None]: ...

    def direct_argv(
        self, destination: Destination, *, subsystem: str | None, command: str | None
    ) -> tuple[list[str], dict[str, str]]: ...

    @property
    def explain_direct(self) -> Callable[[Destination, str], TransportError | None]: ...


@dataclass(frozen=True, slots=True)
class NoMaster:
    """Stands where a master's handle would."""

    control_path: str = ""


class DirectCarrier:
    """Sessions through a local ssh each that logs in by itself."""

    backend: Backend = "direct"
    confirms = False

    def __init__(self, launcher: DirectLauncher, destination: Destination) -> None:
        self._launcher = launcher
        self._destination = destination
        self._spawner = Spawner("direct")

    async def open(self, master: Controlled, command: bytes, events: SessionEvents, *, subsystem: bool) -> Session:
        del master
        await self._launcher.prepare_direct(self._destination)
        text = command.decode("utf-8", "surrogateescape")
        argv, env = self._launcher.direct_argv(
            self._destination, subsystem=text if subsystem else None, command=None if subsystem else text
        )
        return await self._spawner.open(argv, events, env=env)

    async def diagnose(
        self, master: Controlled, status: int | None, text: str, *, began: bool
    ) -> TransportError | None:
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
