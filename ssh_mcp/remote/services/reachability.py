"""Is a host there, does it let us in, and is it the host we know."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import public_text
from ssh_mcp.remote.host import connection_of
from ssh_mcp.results.server import KnownHostsVerify, Ping
from ssh_mcp.tokens import command
from transports.errors import (
    AgentFingerprintNotFound,
    AuthenticationFailed,
    ConnectError,
    HostKeyMismatch,
    MasterLost,
    RemoteError,
    SessionRefused,
    SFTPSubsystemUnavailable,
    UnknownHost,
)

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Connection, StreamName

PROBE_SECONDS: Final = 10.0
"""The most that a ping waits for a shell, and then for SFTP: a forced command may wait for ever."""


async def ping(host: RemoteHost) -> Ping:
    """Log in if need be and time one round trip (0 ms: the account lets nothing be timed).

    Unreachable hosts and refused credentials are data. An unknown or changed host key and a missing pinned key are
    raised: they need a person.
    """
    try:
        login = await connection_of(host).login()
        latency = await _round_trip(host)
    except (UnknownHost, HostKeyMismatch, AgentFingerprintNotFound):
        raise
    except ConnectError as error:
        reachable = isinstance(error, AuthenticationFailed) and error.hop is None
        return _with_notes(
            host,
            Ping(host=host.name, reachable=reachable, auth_ok=False, latency_ms=0, error=public_text(error)),
        )
    return _with_notes(
        host,
        Ping(
            host=host.name,
            reachable=True,
            auth_ok=True,
            latency_ms=0 if latency is None else max(1, round(latency * 1000)),
            server_banner=login.banner or login.server_version,
            known_host_fingerprint=login.host_key_fingerprint,
        ),
    )


async def _round_trip(host: RemoteHost) -> float | None:
    """Seconds of one trip there and back: a line that a command echoes, or a REALPATH where none runs; else None."""
    connection = connection_of(host)
    limit = min(host.settings.ssh_connect_timeout, PROBE_SECONDS)
    with suppress(SessionRefused, RemoteError):
        for last in (False, True):
            try:
                return await _echo(connection, limit, framed=not host.policy.windows)
            except MasterLost:
                if last:
                    raise
    try:
        with anyio.fail_after(limit):
            files = await connection.files()
            began = time.monotonic()
            await files.realpath(".")
            return time.monotonic() - began
    except (TimeoutError, SessionRefused, SFTPSubsystemUnavailable):
        host.call.warn("The account may neither run commands nor use SFTP: no tool but ping will work on it.")
    return None


async def _echo(connection: Connection, limit: float, *, framed: bool) -> float:
    """Raises SessionRefused where nothing is echoed within ``limit`` seconds."""
    if not framed:
        began = time.monotonic()
        await connection.run(command("exit 0").wire(), framed=False, timeout=limit)
        return time.monotonic() - began
    begun = anyio.Event()
    times: list[float] = []

    def arrived(_stream: StreamName, _data: bytes) -> None:
        times.append(time.monotonic())
        begun.set()

    async def line() -> AsyncIterator[bytes]:
        await begun.wait()
        times[:] = [time.monotonic()]
        yield b"echo\n"

    await connection.run(command('echo; read -r l; echo "$l"').wire(), stdin=line(), timeout=limit, on_output=arrived)
    if len(times) < 2:
        raise SessionRefused("The host does not echo a line.", sent=False)
    return times[1] - times[0]


def _with_notes(host: RemoteHost, result: Ping) -> Ping:
    settings = host.settings
    if settings.ssh_ping_includes_notes:
        result.operator_notes = host.policy.notes
    if settings.ssh_ping_includes_agent_notes:
        result.agent_notes = host.call.fleet.notes.read(host.alias)
    return result


async def verify_known_hosts(host: RemoteHost) -> KnownHostsVerify:
    """Compare the live host key with the known one, without logging in."""
    check = await host.call.fleet.verify_host_key(host.policy)
    return KnownHostsVerify(
        host=host.name,
        expected_fingerprint=check.expected,
        live_fingerprint=check.live,
        matches_known_hosts=check.matches,
        error=check.error,
    )
