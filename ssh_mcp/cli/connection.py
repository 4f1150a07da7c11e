"""``ssh-mcp connect``, ``disconnect`` and ``agent``: what a person does by hand."""

from __future__ import annotations

import os

import anyio
from rich.console import Console
from rich.table import Table

from ssh_mcp.inventory.destination import to_destination, transport_config
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.settings import Settings, load_settings
from transports.openssh.agent import agent_keys
from transports.openssh.binaries import probe
from transports.openssh.master import MasterLauncher

_console = Console(highlight=False, markup=False, soft_wrap=True)


def connect(name: str, persist: float) -> int:
    """Log in with the terminal at hand; the connection stays for ``persist`` seconds without use."""
    settings, policy = _host(name)
    launcher = MasterLauncher(transport_config(settings))

    async def work() -> int:
        destination = to_destination(policy, settings)
        effective = await launcher.effective(destination)
        load_inventory(settings)[0].check_effective(policy, effective)
        handle = await launcher.connect(destination, persist=persist)
        _console.print(
            f"Connected to {policy.alias} (master {handle.pid}). The server uses this connection and leaves it alone; "
            f"it ends after {persist / 3600:g} hours without use, or with `ssh-mcp disconnect {policy.alias}`."
        )
        return 0

    return anyio.run(work)


def disconnect(name: str) -> int:
    """End every connection to the host."""
    settings, policy = _host(name)
    launcher = MasterLauncher(transport_config(settings))
    ended = anyio.run(launcher.disconnect, to_destination(policy, settings))
    _console.print(f"{policy.alias}: {ended} connections closed." if ended else f"{policy.alias}: none was open.")
    return 0


def show_agent() -> int:
    """A table of the agent's keys; exit status 1 where there is no agent or no key."""

    async def work() -> int:
        socket = os.environ.get("SSH_AUTH_SOCK")
        if not socket:
            _console.print("SSH_AUTH_SOCK is not set. Start an agent: eval $(ssh-agent)")
            return 1
        keys = await agent_keys(await probe(), socket)
        if keys is None:
            _console.print(f"No agent answers at {socket}. Start one: eval $(ssh-agent)")
            return 1
        if not keys:
            _console.print("The agent holds no key. Add one: ssh-add ~/.ssh/id_ed25519")
            return 1
        table = Table("identity_fingerprint", "type", "comment", box=None, pad_edge=False)
        for key in keys:
            table.add_row(key.fingerprint, key.kind, key.comment)
        _console.print(table)
        return 0

    return anyio.run(work)


def _host(name: str) -> tuple[Settings, HostPolicy]:
    settings, _ = load_settings()
    inventory, _ = load_inventory(settings)
    return settings, inventory.resolve(name)
