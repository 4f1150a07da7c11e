"""What each host can do, found out once per connection and remembered: every tool uses the same knowledge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.remote.host import connection_of
from transports.errors import RemoteError, SessionRefused

if TYPE_CHECKING:
    from ssh_mcp.facts.capabilities import Capabilities
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Destination


@dataclass(slots=True)
class CapabilityCache:
    """One per server. A new configuration of a host is a new destination and is asked again."""

    _found: dict[Destination, Capabilities] = field(default_factory=dict)
    _locks: dict[Destination, anyio.Lock] = field(default_factory=dict)

    async def of(self, host: RemoteHost) -> Capabilities:
        """What the host can do; that it runs no commands is a value, not an error. Raises ConnectError and its kin."""
        destination = connection_of(host).destination
        async with self._locks.setdefault(destination, anyio.Lock()):
            found = self._found.get(destination)
            if found is None:
                found = await _ask(host)
                self.remember(destination, found)
        return found

    def known(self, destination: Destination) -> Capabilities | None:
        """What was found before; None where nobody has asked yet."""
        return self._found.get(destination)

    def remember(self, destination: Destination, found: Capabilities) -> None:
        """Keep what a tool learned in a session of its own."""
        self._found[destination] = found

    def forget(self) -> None:
        """Ask again: hosts.toml changed, or a host was rebuilt."""
        self._found.clear()
        self._locks.clear()


async def _ask(host: RemoteHost) -> Capabilities:
    """Straight through the connection: the question is ours, and the audit line is about the caller's."""
    from ssh_mcp.facts.capabilities import Capabilities, CapabilitiesFact  # late: a listing at start needs no fact
    from ssh_mcp.remote.facts import prepared, text_of

    if host.policy.windows:
        return Capabilities(posix=False, why="it is a Windows host")
    fact = CapabilitiesFact()
    try:
        done = await connection_of(host).run(
            prepared(fact.command()).wire(), timeout=host.settings.ssh_connect_timeout, idempotent=True
        )
    except (SessionRefused, RemoteError) as error:
        return Capabilities(posix=False, why=error.what.rstrip("."))
    if done.timed_out:
        return Capabilities(posix=False, why="it did not run a command in time")
    return fact.parse(text_of(done.stdout)).value
