"""Which host a name means, and loading of the whole inventory.

An ``Inventory`` never changes: a reload makes a new one, and whoever holds the old one keeps it until its call is over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ssh_mcp.errors import ConfigError, HostBlocked, HostNotAllowed
from ssh_mcp.inventory import merge, values
from ssh_mcp.inventory.model import AskEntry, HostPolicy, RedactionPolicy
from ssh_mcp.inventory.remarks import remarks
from ssh_mcp.inventory.roles import Roles, read_roles
from ssh_mcp.inventory.toml import Document, load
from ssh_mcp.inventory.values import block_key, host_key, shown
from ssh_mcp.settings.file import config_directory
from ssh_mcp.settings.model import Settings
from transports.api import Effective

FILE_NAME = "hosts.toml"
_BETWEEN = re.compile(r"[\s'\"=,@/()|;&]+")
"""What separates the host names of a command line."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All hosts that may be reached.

    ``hosts``: those of hosts.toml by alias; ``outside``: those that only SSH_HOSTS_ALLOWLIST names, by name.
    """

    hosts: Mapping[str, HostPolicy] = field(default_factory=dict)
    outside: Mapping[str, HostPolicy] = field(default_factory=dict)
    blocked: frozenset[str] = frozenset()
    source: str = ""
    default_redaction: RedactionPolicy = field(default_factory=RedactionPolicy)
    ask: tuple[AskEntry, ...] = ()
    roles: Roles = field(default_factory=Roles)
    document: Document = field(default_factory=Document)
    """The file as it was written, for messages that name the line of a rule."""

    def resolve(self, name: str) -> HostPolicy:
        """The host that ``name`` means: alias, hostname, or an allowlisted name. Raises HostNotAllowed, HostBlocked."""
        policy = self.hosts.get(name) or self._by_hostname(name) or self._outside(name)
        if policy is None:
            raise HostNotAllowed(f"{shown(name) if name else 'An empty name'} is not a known host.", self._hint(name))
        self._check_names(policy, (name,))
        return policy

    def needs_effective(self, policy: HostPolicy) -> bool:
        """Whether ssh must be asked where it would really connect before the host may be used."""
        return bool(self.blocked) or not policy.hostname_given

    def check_effective(self, policy: HostPolicy, effective: Effective) -> None:
        """Apply the blocklist to what ``ssh -G`` says. Raises HostBlocked.

        Where a ProxyCommand leads is its program's affair; what can be seen is whether it names a blocked host.
        """
        self._deny(policy, effective.hostname, effective.hostname)
        for hop in (*effective.jump, *effective.jump_names):
            self._deny(policy, hop, hop)
        for word in _names_in(effective.proxy_command or ""):
            self._deny(policy, word, f"{word} in its ProxyCommand")

    def listed(self) -> tuple[HostPolicy, ...]:
        """Every host but the blocked ones, the inventory's first."""
        everything = (*self.hosts.values(), *self.outside.values())
        return tuple(p for p in everything if not self._is_blocked(p))

    def _by_hostname(self, name: str) -> HostPolicy | None:
        key = host_key(name)
        found = [p for p in self.hosts.values() if p.hostname_given and host_key(p.hostname) == key]
        if len(found) > 1:
            names = ", ".join(p.alias for p in found[:10])
            raise HostNotAllowed(f"{shown(name)} is the hostname of {len(found)} hosts.", f"Use an alias: {names}.")
        return found[0] if found else None

    def _outside(self, name: str) -> HostPolicy | None:
        key = host_key(name)
        return self.outside.get(name) or next((p for n, p in self.outside.items() if host_key(n) == key), None)

    def _hint(self, name: str) -> str:
        known = [p.alias for p in self.listed()]
        if not known:
            return "The operator must first add hosts to hosts.toml or SSH_HOSTS_ALLOWLIST."
        guess = values.nearest(name, known + [p.hostname for p in self.listed()])
        return f"Did you mean {guess}? ssh_host_list shows all." if guess else "ssh_host_list shows the hosts."

    def _check_names(self, policy: HostPolicy, further: Iterable[str] = ()) -> None:
        for name in (*further, policy.hostname, policy.alias):
            self._deny(policy, name, name)
        for hop in policy.jump:
            for name in (hop.hostname, hop.alias):
                self._deny(policy, name, f"its jump host {name}")

    def _is_blocked(self, policy: HostPolicy) -> bool:
        names = {n for p in (policy, *policy.jump) for n in (p.hostname, p.alias)}
        return bool(self.blocked) and any(block_key(n) in self.blocked for n in names)

    def _deny(self, policy: HostPolicy, name: str, named: str) -> None:
        if self.blocked and name and block_key(name) in self.blocked:
            which = named if named in (policy.alias, policy.hostname) else f"{policy.alias} ({named})"
            raise HostBlocked(f"{shown(which)} is on SSH_HOSTS_BLOCKLIST.", "Only the operator can change that.")


def load_inventory(
    settings: Settings, env: Mapping[str, str] | None = None, *, tools: frozenset[str] = frozenset()
) -> tuple[Inventory, list[str]]:
    """Read hosts.toml (if there is one) and merge it with the settings. Returns warnings too. Raises ConfigError.

    ``env`` is where ``${VAR}`` and ``~`` come from; None: this process's environment. ``tools`` are the names that ask
    rules may give; empty: these are not compared.
    """
    file, warnings = _find(settings)
    environment = os.environ if env is None else env
    document = load(file, environment) if file else Document()
    hosts, outside = merge.merge(document, settings)
    inventory = Inventory(
        hosts=hosts,
        outside=outside,
        blocked=frozenset(block_key(n) for n in settings.ssh_hosts_blocklist),
        source=str(file) if file else "SSH_HOSTS_ALLOWLIST" if outside else "",
        default_redaction=merge.default_redaction(document, settings),
        ask=merge.default_ask(document, settings),
        roles=read_roles(document, (*hosts.values(), *outside.values())),
        document=document,
    )
    if tools:
        _check_ask(inventory, tools)
    return inventory, warnings + remarks((*hosts.values(), *outside.values()), document, settings)


def _check_ask(inventory: Inventory, tools: frozenset[str]) -> None:
    """A rule about a tool that does not exist would never ask. Raises ConfigError."""
    policies = (*inventory.hosts.values(), *inventory.outside.values())
    entries = dict.fromkeys(each for ask in (inventory.ask, *(p.ask for p in policies)) for each in ask)
    if not entries:
        return
    from ssh_mcp.policy.approval import check_ask_entry

    for each in entries:
        if (problem := check_ask_entry(each.entry, tools)) is not None:
            raise ConfigError(f"{each.source}: ask: {each.entry} {problem}.")


def _find(settings: Settings) -> tuple[Path | None, list[str]]:
    """SSH_HOSTS_FILE, else the one in the user's configuration directory: never the working directory's."""
    if settings.ssh_hosts_file is not None:
        file = Path(settings.ssh_hosts_file)
        if file.exists():
            return file.absolute(), []
        return None, [f"SSH_HOSTS_FILE {shown(str(file))} does not exist: no hosts are taken from it."]
    usual = config_directory() / FILE_NAME
    return (usual.absolute() if usual.exists() else None), []


Stamp = tuple[int, int, int, int]
"""Inode, size, and the times of the last change of content and of the inode, in ns."""


def stamp(settings: Settings) -> Stamp | None:
    """What identifies one state of hosts.toml; None where there is no file."""
    file = settings.ssh_hosts_file if settings.ssh_hosts_file is not None else _usual()
    try:
        status = os.stat(file)  # noqa: PTH116 - once per call of a tool
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@cache
def _usual() -> str:
    return str(config_directory() / FILE_NAME)


def _names_in(command: str) -> Iterable[str]:
    """Whatever could be a host name in a command line: words, also behind an option's letter or before a port."""
    for word in _BETWEEN.split(command):
        for text in (word, word[2:]) if word.startswith("-") else (word,):
            yield text
            yield text.rpartition(":")[0]


Names = tuple[str, ...]


def diff(old: Inventory, new: Inventory) -> tuple[Names, Names, Names]:
    """Aliases added, removed and changed, each sorted. A host also counts as changed where a jump host of it did."""
    before, after = {**old.outside, **old.hosts}, {**new.outside, **new.hosts}
    added = tuple(sorted(after.keys() - before.keys()))
    removed = tuple(sorted(before.keys() - after.keys()))
    changed = tuple(sorted(n for n in before.keys() & after.keys() if before[n] != after[n]))
    return added, removed, changed
