"""Dropbear hangs a terminal up only when the whole connection ends: what a closed one leaves there is found here."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.remote.programs import run_program
from transports.errors import TransportError
from transports.programs import program_text

if TYPE_CHECKING:
    from transports.api import Connection

_SECONDS = 5.0
logger = logging.getLogger(__name__)


async def needed(connection: Connection) -> bool:
    """Whether the host's server is one that leaves them. Raises ConnectError and its kin."""
    return "dropbear" in ((await connection.login()).server_version or "").lower()


async def new_leader(connection: Connection, known: Collection[int | None]) -> int | None:
    """The session leader of the terminal that was opened last; None where there are several."""
    found = [pid for pid in await _leaders(connection) if pid not in known]
    return found[0] if len(found) == 1 else None


async def hang_up(connection: Connection, leader: int) -> None:
    """End what runs in a closed terminal, as its hang-up would. Bounded, shielded; a lost connection does it anyway."""
    with anyio.CancelScope(shield=True):
        await _leaders(connection, "HUP", str(leader))


async def _leaders(connection: Connection, *arguments: str) -> list[int]:
    text = run_program(program_text("ssh_mcp.remote.devices", "programs/leaders.sh"), *arguments).wire()
    try:
        done = await connection.run(text, timeout=_SECONDS, framed=False)  # the frame may have no ancestor there
    except TransportError as error:
        logger.debug("session leaders are unknown: %s", type(error).__name__)
        return []
    return [int(line) for line in done.stdout.decode("ascii", "replace").split() if line.isdigit()]
