"""Hosts that start no shell for the login: whether SFTP works there, and what a refusal says to use instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.remote.host import connection_of
from transports.errors import SessionRefused, SFTPSubsystemUnavailable, TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssh_mcp.errors import Refusal
    from ssh_mcp.facts.capabilities import Capabilities
    from ssh_mcp.remote.host import RemoteHost

LOOK_SECONDS: Final = 2.0
"""How long a refusal may wait for SFTP to say whether it works: the caller has waited for a shell already."""

_TERMINAL: Final = (
    "ssh_terminal_open shows what starts there in a terminal; for a network device the operator sets platform."
)


async def sftp_works(host: RemoteHost, seconds: float) -> bool | None:
    """Whether the login has SFTP; None where that did not show in time."""
    with anyio.move_on_after(seconds):
        try:
            await connection_of(host).files()
        except (SFTPSubsystemUnavailable, SessionRefused):
            return False
        except TransportError:
            return None
        return True
    return None


async def with_what_works(error: Refusal | TransportError, hosts: Sequence[RemoteHost]) -> Refusal | TransportError:
    """A refusal to start a shell, or SFTP, on the one host of a call, with what works there instead; others as they
    are.
    """
    if len(hosts) != 1:
        return error
    (host,) = hosts
    if isinstance(error, SFTPSubsystemUnavailable):
        return await _without_sftp(host, error)
    if not isinstance(error, SessionRefused) or not error.no_shell:
        return error
    able = await host.call.fleet.capabilities.without_shell(host, error)
    return SessionRefused(error.what, f"{instead(able)} {error.remedy}".strip(), sent=error.sent)


async def _without_sftp(host: RemoteHost, error: SFTPSubsystemUnavailable) -> SFTPSubsystemUnavailable:
    able = None
    with anyio.move_on_after(LOOK_SECONDS):
        try:
            able = await host.capabilities()
        except TransportError:
            return error
    if able is None:
        return error
    works = "Commands work there (ssh_exec_run), and so do ssh_find and ssh_grep." if able.posix else _TERMINAL
    return SFTPSubsystemUnavailable(error.what, f"{works} {error.remedy}".strip(), sent=error.sent)


def require_files(able: Capabilities) -> None:
    """Raises SFTPSubsystemUnavailable where a host was seen to have neither a shell nor SFTP."""
    if not able.posix and able.sftp is False:
        raise SFTPSubsystemUnavailable(
            f"{able.why}. SFTP does not work there either.",
            "Look at the account's login shell and ForceCommand.",
            sent=False,
        )


def instead(able: Capabilities) -> str:
    """What a caller can use on a host without a shell, in one or two sentences."""
    if able.sftp:
        return "The file tools work there (SFTP)."
    return f"SFTP {'does not work' if able.sftp is False else 'did not begin'} there either. {_TERMINAL}"
