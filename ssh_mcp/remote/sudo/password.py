"""Where a sudo password comes from: keyring, then a command of the operator's, then keyring's default, else nothing.

It is read for each call, handed on as bytes for stdin and kept nowhere.
"""

from __future__ import annotations

import logging
import os
import subprocess
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ssh_mcp.errors import SudoFailed

if TYPE_CHECKING:
    from ssh_mcp.settings.model import Settings

SERVICE = "ssh-mcp-sudo"
"""Keyring service; the user is the host's alias, or ``default``."""

KEYRING_TIMEOUT = 30.0

COMMAND_TIMEOUT = 30.0
"""Seconds that SSH_SUDO_PASSWORD_CMD may take: a person may have to unlock a password manager."""

logger = logging.getLogger("ssh_mcp")


async def sudo_password(alias: str, settings: Settings) -> bytes | None:
    """The password for a host, or None where only ``sudo -n`` remains. Raises SudoFailed where the command fails."""
    found = await from_keyring(SERVICE, alias)
    if found is None and settings.ssh_sudo_password_cmd:
        found = await from_command("SSH_SUDO_PASSWORD_CMD", settings.ssh_sudo_password_cmd)
    if found is None:
        found = await from_keyring(SERVICE, "default")
    return found


async def from_keyring(service: str, user: str) -> bytes | None:
    """A locked keyring may ask a person who is not there: bounded, and then the same as having no entry."""
    with anyio.move_on_after(KEYRING_TIMEOUT):
        return await anyio.to_thread.run_sync(_ask_keyring, service, user, abandon_on_cancel=True)
    logger.warning("The keyring did not reply for %s/%s within %g seconds.", service, user, KEYRING_TIMEOUT)
    return None


def _ask_keyring(service: str, user: str) -> bytes | None:
    """Backends may be missing or locked; that is the same as having no entry."""
    import keyring

    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - each backend has errors of its own, D-Bus libraries' among them
        logger.debug("keyring has no entry for %s/%s: %s", service, user, type(error).__name__)
        return None
    return value.encode() if value else None


async def from_command(name: str, command: str) -> bytes:
    """First line of stdout; ``name`` is the command's setting. Its stderr is not shown: it might hold the password."""
    try:
        with anyio.fail_after(COMMAND_TIMEOUT):
            done = await anyio.run_process(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                env=dict(os.environ),
            )
    except TimeoutError:
        raise SudoFailed(
            f"{name} did not reply within {COMMAND_TIMEOUT:g} seconds.", "Run it by hand to see why."
        ) from None
    line = done.stdout.split(b"\n", 1)[0].rstrip(b"\r")
    if done.returncode != 0 or not line:
        raise SudoFailed(f"{name} gave no password (exit {done.returncode}).", "Run it by hand to see why.")
    return line
