"""What each host can do, found out once per connection and remembered: every tool uses the same knowledge."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.remote.alongside import alongside
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.without_shell import LOOK_SECONDS, sftp_works
from transports.errors import RemoteError, SessionRefused, TransportError

if TYPE_CHECKING:
    from ssh_mcp.facts.capabilities import Capabilities
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Destination


WITHOUT_SHELL_SECONDS = 60.0
"""How long it is remembered that a host starts no shell: startup files are fixed, and a busy host is slow only once."""

_SFTP_AFTER = 1.5
"""Seconds after the login at which SFTP is tried beside a shell that has not begun: most have replied by then."""


@dataclass(slots=True)
class CapabilityCache:
    """One per server. A new configuration of a host is a new destination and is asked again."""

    _found: dict[Destination, Capabilities] = field(default_factory=dict)
    _shellless: dict[Destination, float] = field(default_factory=dict)
    """When a host without a shell is asked again (monotonic)."""
    _locks: dict[Destination, anyio.Lock] = field(default_factory=dict)

    async def of(self, host: RemoteHost, *, need_shell: bool = False) -> Capabilities:
        """What the host can do; that it runs no commands is a value, not an error. Raises ConnectError and its kin.

        ``need_shell``: ask again where there was none before, as a command would find out.
        """
        destination = connection_of(host).destination
        async with self._locks.setdefault(destination, anyio.Lock()):
            found = self.known(destination)
            if found is None or (need_shell and not found.posix):
                found = await _ask(host)
                self.remember(destination, found)
        return found

    async def without_shell(self, host: RemoteHost, error: SessionRefused) -> Capabilities:
        """The same for a host that has just refused a shell: only SFTP is looked at, and only once."""
        from ssh_mcp.facts.capabilities import Capabilities

        destination = connection_of(host).destination
        found = self.known(destination)
        if found is None or found.posix or found.sftp is None:
            found = Capabilities(posix=False, why=_why(error), sftp=await sftp_works(host, LOOK_SECONDS))
            self.remember(destination, found)
        return found

    def known(self, destination: Destination) -> Capabilities | None:
        """What was found before; None where nobody has asked yet, or long ago."""
        found = self._found.get(destination)
        if found is not None and not found.posix and self._shellless.get(destination, 0.0) < time.monotonic():
            return None
        return found

    def remember(self, destination: Destination, found: Capabilities) -> None:
        """Keep what a tool learned in a session of its own."""
        self._found[destination] = found
        if not found.posix:
            self._shellless[destination] = time.monotonic() + WITHOUT_SHELL_SECONDS

    def forget(self) -> None:
        """Ask again: hosts.toml changed, or a host was rebuilt."""
        self._found.clear()
        self._shellless.clear()
        self._locks.clear()


async def _ask(host: RemoteHost) -> Capabilities:
    """Straight through the connection: the question is ours, and the audit line is about the caller's."""
    from ssh_mcp.facts.capabilities import Capabilities  # late: a listing at start needs no fact

    if host.policy.windows:
        return Capabilities(posix=False, why="it is a Windows host", sftp=True)
    seconds = host.settings.ssh_connect_timeout
    works: bool | None = None
    asked, looked = anyio.Event(), anyio.Event()

    async def look() -> None:
        nonlocal works
        with suppress(TransportError):  # which the question raises too
            await connection_of(host).login()
        with anyio.move_on_after(_SFTP_AFTER):
            await asked.wait()
        works = await sftp_works(host, max(LOOK_SECONDS, seconds - _SFTP_AFTER))
        looked.set()

    async with alongside(look):
        found = await _ask_shell(host)
        asked.set()
        if not found.posix:
            await looked.wait()
    # Neither began in all that time: a caller need not wait for it again.
    return found if found.posix else replace(found, sftp=bool(works))


async def _ask_shell(host: RemoteHost) -> Capabilities:
    from ssh_mcp.facts.capabilities import Capabilities, CapabilitiesFact
    from ssh_mcp.remote.facts import prepared, text_of

    fact = CapabilitiesFact()
    try:
        done = await connection_of(host).run(
            prepared(fact.command()).wire(), timeout=host.settings.ssh_connect_timeout, idempotent=True
        )
    except (SessionRefused, RemoteError) as error:
        return Capabilities(posix=False, why=_why(error))
    if done.timed_out:
        return Capabilities(posix=False, why="it did not run a command in time")
    return fact.parse(text_of(done.stdout)).value


def _why(error: SessionRefused | RemoteError) -> str:
    return error.what.rstrip(".")
