"""Sessions without multiplexing: one ssh process and one login each. For Windows clients, whose ssh has no masters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from transports.api import Destination
from transports.errors import MasterLost, TransportError
from transports.openssh.process import SSH_FAILED
from transports.openssh.session import Backend, Controlled, Session, SessionEvents
from transports.openssh.spawned import open_spawned


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

    async def open(self, master: Controlled, command: bytes, events: SessionEvents, *, subsystem: bool) -> Session:
        del master
        await self._launcher.prepare_direct(self._destination)
        text = command.decode("utf-8", "surrogateescape")
        argv, env = self._launcher.direct_argv(
            self._destination, subsystem=text if subsystem else None, command=None if subsystem else text
        )
        return await open_spawned("direct", argv, events, env=env)

    async def diagnose(
        self, master: Controlled, status: int | None, text: str, *, began: bool
    ) -> TransportError | None:
        del master
        if status is not None and status != SSH_FAILED:
            return None
        if not began and (error := self._launcher.explain_direct(self._destination, text)) is not None:
            return error
        if status is None or began:
            return MasterLost(
                "The connection to the host was lost while the session was open.",
                "Call again; look first whether the command had an effect.",
                sent=began,
            )
        return None
