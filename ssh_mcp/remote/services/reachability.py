"""Is a host there, does it let us in, and is it the host we know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ssh_mcp.errors import public_text
from ssh_mcp.remote.host import connection_of
from ssh_mcp.results.server import KnownHostsVerify, Ping
from ssh_mcp.tokens import command
from transports.errors import (
    AgentFingerprintNotFound,
    AuthenticationFailed,
    ConnectError,
    HostKeyMismatch,
    RemoteError,
    SessionRefused,
    SFTPSubsystemUnavailable,
    UnknownHost,
)

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost


async def ping(host: RemoteHost) -> Ping:
    """Log in if need be and time one round trip.

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
            latency_ms=max(1, round(latency * 1000)),
            server_banner=login.banner or login.server_version,
            known_host_fingerprint=login.host_key_fingerprint,
        ),
    )


async def _round_trip(host: RemoteHost) -> float:
    """Seconds of one trip: a command that does nothing, or a REALPATH where the account may not run commands."""
    began = time.monotonic()
    try:
        if host.policy.windows:
            await connection_of(host).run(
                command("exit 0").wire(), framed=False, timeout=host.settings.ssh_command_timeout
            )
        else:
            await connection_of(host).run(
                command("true").wire(), timeout=host.settings.ssh_command_timeout, idempotent=True
            )
    except (SessionRefused, RemoteError):
        began = time.monotonic()
        try:
            await (await connection_of(host).files()).realpath(".")
        except (SessionRefused, SFTPSubsystemUnavailable):
            host.call.warn("The account may neither run commands nor use SFTP: no tool but ping will work on it.")
    return time.monotonic() - began


def _with_notes(host: RemoteHost, result: Ping) -> Ping:
    settings = host.settings
    if settings.ssh_ping_includes_notes:
        result.operator_notes = host.policy.notes
    if settings.ssh_ping_includes_agent_notes:
        result.agent_notes = host.call.fleet.notes.read(host.alias)
    return result


async def verify_known_hosts(host: RemoteHost) -> KnownHostsVerify:
    """Compare the live host key with the known one, without logging in."""
    fleet = host.call.fleet
    check = await fleet.transport.verify_host_key(fleet.destination(host.policy))
    return KnownHostsVerify(
        host=host.name,
        expected_fingerprint=check.expected,
        live_fingerprint=check.live,
        matches_known_hosts=check.matches,
        error=check.error,
    )
