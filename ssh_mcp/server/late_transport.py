"""The transport, loaded at its first use: importing it is a tenth of the start, and a listing needs none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transports.api import Connection, Destination, Effective, HostKeyCheck, SessionStatus, Transport


class LateTransport:
    """A ``transports.api.Transport`` that ``make`` makes when a host is first wanted."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._made: Transport | None = None

    def _real(self) -> Transport:
        if self._made is None:
            self._made = self._make()
        return self._made

    def connection(self, destination: Destination) -> Connection:
        return self._real().connection(destination)

    async def effective(self, destination: Destination) -> Effective:
        return await self._real().effective(destination)

    async def verify_host_key(self, destination: Destination) -> HostKeyCheck:
        return await self._real().verify_host_key(destination)

    def sessions(self) -> tuple[SessionStatus, ...]:
        return self._made.sessions() if self._made is not None else ()

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()
