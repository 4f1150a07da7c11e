"""``ssh-mcp connect``, ``disconnect`` and ``agent``: what a person does by hand."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import anyio
from rich.console import Console
from rich.table import Table

from ssh_mcp.cli.output import print_json
from ssh_mcp.errors import ConfigError, InvalidArgument
from ssh_mcp.inventory.destination import to_destination, transport_config
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.resolve import Inventory, load_inventory
from ssh_mcp.settings.model import Settings, load_settings
from transports.openssh.login.agent import agent_keys, agent_socket
from transports.openssh.login.binaries import Binaries, probe
from transports.openssh.masters.master import MasterLauncher

LONGEST = 24 * 7
"""Hours that a connection by hand may stay unused."""

_console = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Found:
    settings: Settings
    inventory: Inventory
    policy: HostPolicy


def connect(name: str, hours: float) -> int:
    """Log in with the terminal at hand; the connection stays for ``hours`` without use."""
    if not 0 < hours <= LONGEST:
        raise InvalidArgument(f"--hours is {hours:g}.", f"Give a number above 0, at most {LONGEST}.")
    found = _host(name)
    launcher = MasterLauncher(transport_config(found.settings))

    async def work() -> int:
        destination = to_destination(found.policy, found.settings)
        effective = await launcher.effective(destination)
        found.inventory.check_effective(found.policy, effective)
        handle = await launcher.connect(destination, persist=hours * 3600)
        _console.print(
            f"Connected to {found.policy.alias} (master {handle.pid}). The server uses this connection and leaves it "
            f"alone; it ends after {hours:g} hours without use, or with `ssh-mcp disconnect {found.policy.alias}`."
        )
        return 0

    return anyio.run(work)


def disconnect(name: str) -> int:
    """End every connection to the host."""
    found = _host(name)
    launcher = MasterLauncher(transport_config(found.settings))
    ended = anyio.run(launcher.disconnect, to_destination(found.policy, found.settings))
    alias = found.policy.alias
    _console.print(
        f"{alias}: {ended} connection{'s' if ended != 1 else ''} closed." if ended else f"{alias}: none was open."
    )
    return 0


def show_agent(*, as_json: bool = False) -> int:
    """A table of the keys of each agent in use; exit status 1 where no agent holds a key."""
    return anyio.run(_show_agents, as_json)


async def _show_agents(as_json: bool) -> int:
    binaries = await probe()
    sockets = _sockets()
    if as_json:
        held = {socket: await agent_keys(binaries, socket) for socket in sockets}
        rows = [
            {"agent": socket, "identity_fingerprint": key.fingerprint, "type": key.kind, "comment": key.comment}
            for socket, keys in held.items()
            for key in keys or ()
        ]
        print_json(json.dumps(rows, indent=2))
        return 0 if rows else 1
    if not sockets:
        _console.print("SSH_AUTH_SOCK is not set and hosts.toml names no agent. Start one: eval $(ssh-agent)")
        return 1
    return 0 if any([await _show(binaries, socket, named=len(sockets) > 1) for socket in sockets]) else 1


async def _show(binaries: Binaries, socket: str, *, named: bool) -> bool:
    """Print one agent's keys. Returns whether it holds any."""
    if named:
        _console.print(f"Agent at {socket}:")
    keys = await agent_keys(binaries, socket)
    if keys is None:
        _console.print(f"No agent replies at {socket}. Start one: eval $(ssh-agent)")
        return False
    if not keys:
        _console.print("The agent holds no key. Add one: ssh-add ~/.ssh/id_ed25519")
        return False
    table = Table("identity_fingerprint", "type", "comment", box=None, pad_edge=False)
    for key in keys:
        table.add_row(key.fingerprint, key.kind, key.comment)
    # Fingerprints are for copying: a line is as long as it needs to be, whatever the terminal's width.
    Console(highlight=False, markup=False, width=max(_console.width, 160)).print(table)
    return True


def _sockets() -> list[str]:
    """SSH_AUTH_SOCK's agent first, then those that hosts.toml names; a broken hosts.toml names none."""
    try:
        inventory = load_inventory(load_settings()[0])[0]
        named = [policy.auth.identity_agent for policy in inventory.hosts.values() if policy.auth.identity_agent]
    except ConfigError:
        named = []
    sockets = [os.environ.get("SSH_AUTH_SOCK"), *map(agent_socket, named)]
    return list(dict.fromkeys(socket for socket in sockets if socket))


def _host(name: str) -> _Found:
    settings, _ = load_settings()
    inventory, _ = load_inventory(settings)
    return _Found(settings, inventory, inventory.resolve(name))
