"""What the first calls will need, loaded while nobody waits: a client lists the tools, then its model thinks.

The start stays as short as it is (adr/0010); a second after it the transport, the guard and the three families that
nearly every session uses are imported in a thread, 0.2 s of one core and 11 MiB that the first call would else pay for.
"""

from __future__ import annotations

import gc
import importlib
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import Refusal
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import HostPolicy
    from ssh_mcp.remote.fleet import Fleet

QUIET_SECONDS: Final = 1.0
"""From the start until then the client is listing tools, and every import would be in its way."""
_MODULES: Final = (
    "ssh_mcp.guard.shared",
    "transports.openssh.transport",
    "ssh_mcp.tools.exec",
    "ssh_mcp.tools.files",
    "ssh_mcp.tools.host",
)
_POLICIES_MAX: Final = 8

logger = logging.getLogger("ssh_mcp")


async def preload(fleet: Fleet, after: float = QUIET_SECONDS) -> None:
    """Load the modules, compile the patterns, look at the system's ssh. Never raises: a call reports what is wrong."""
    await anyio.sleep(after)
    for name in _MODULES:
        await anyio.to_thread.run_sync(importlib.import_module, name, abandon_on_cancel=True)
    await anyio.to_thread.run_sync(_compile, tuple(fleet.inventory.hosts.values()), abandon_on_cancel=True)
    from transports.openssh.login.binaries import probe

    with suppress(TransportError):
        await probe()
    gc.collect()
    gc.freeze()  # as after the start: what was loaded stays, and need not be looked through again
    logger.debug("What the first calls need is loaded.")


def _compile(policies: tuple[HostPolicy, ...]) -> None:
    """The patterns that a command or an output is first matched against; hosts mostly share theirs."""
    from ssh_mcp.guard.shared import guard_for
    from ssh_mcp.policy.commands import Circumstances, permit

    different = {(p.commands, p.paths.redact_globs, p.redaction) for p in policies}
    for commands, globs, redaction in list(different)[:_POLICIES_MAX]:
        guard_for(redaction)
        with suppress(Refusal):
            permit("true", commands, Circumstances(redact_globs=globs))
