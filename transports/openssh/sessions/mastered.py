"""What native and process have in common: masters, brought up by a launcher."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from transports.api import Destination
from transports.openssh.masters.slots import Slots
from transports.openssh.sessions.session import Handle


class Masters(Protocol):
    """What their sessions use of ``MasterLauncher``."""

    def ensure(self, destination: Destination, index: int) -> Awaitable[Handle]: ...

    def forget(self, control_path: str) -> None: ...

    def retire(self, control_path: str, pid: int) -> Awaitable[None]: ...

    def mux_argv(
        self,
        control_path: str,
        destination: Destination,
        *,
        subsystem: str | None,
        command: str | None,
        tty: bool = False,
    ) -> list[str]: ...


class Mastered:
    """One host with masters."""

    masterless = False

    def __init__(self, masters: Masters, destination: Destination) -> None:
        self._masters = masters
        self._destination = destination

    def slots(self, most: int) -> Slots:
        return Slots(max_masters=most)

    async def launch(self, index: int) -> Handle:
        return await self._masters.ensure(self._destination, index)

    async def terminal(self, master: Handle, command: str | None) -> tuple[list[str], dict[str, str] | None]:
        words = self._masters.mux_argv(
            master.control_path, self._destination, subsystem=None, command=command, tty=True
        )
        return words, None

    def forget(self, handle: Handle) -> None:
        self._masters.forget(handle.control_path)

    async def retire(self, handle: Handle) -> None:
        if handle.pid is not None:
            await self._masters.retire(handle.control_path, handle.pid)
