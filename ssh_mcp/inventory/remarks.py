"""What loads, but deserves a line in the log: allowlists that allow everything, exec without an allowlist. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ssh_mcp.inventory.fields import HostLayer
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.toml import Document
from ssh_mcp.policy.paths import restricted_by
from ssh_mcp.settings.model import Settings

_SENSITIVE: Final = ("/etc/shadow", "/etc/sudoers", "/etc/ssh")
_EVERYTHING: Final = ("*", "/")
_WILDCARDS: Final = frozenset("*?[")


def remarks(policies: Iterable[HostPolicy], document: Document, settings: Settings) -> list[str]:
    """One line a finding, naming all hosts that share it."""
    hosts = tuple(policies)
    found = [
        *_grouped(hosts, _open_paths),
        *_grouped(hosts, _literal_wildcards),
        *[line for name, layer in _layers(document) for line in _layer(name, layer)],
    ]
    if settings.allow_dangerous_tools:
        found += _grouped(hosts, _commands)
        found += _grouped(hosts, _command_entries)
        found += _grouped(hosts, _open_entries)
    if not hosts:
        found.append("No host is known: write hosts.toml (`ssh-mcp init`) or set SSH_HOSTS_ALLOWLIST.")
    return found


def _grouped(hosts: tuple[HostPolicy, ...], finding: Callable[[HostPolicy], str | None]) -> list[str]:
    by_text: dict[str, list[str]] = {}
    for host in hosts:
        text = finding(host)
        if text:
            by_text.setdefault(text, []).append(host.alias)
    return [f"{'host' if len(names) == 1 else 'hosts'} {', '.join(names)}: {text}" for text, names in by_text.items()]


def _open_paths(host: HostPolicy) -> str | None:
    entry = next((p for p in host.paths.allow if p in _EVERYTHING), None)
    if entry is None:
        return None
    start = f'path_allowlist holds "{entry}", which allows every path'
    if host.windows:
        return f"{start}. Name directories instead."
    left = [p for p in _SENSITIVE if restricted_by(p, host.paths) is None]
    if not left:
        return f"{start}; {_and(_SENSITIVE)} are restricted."
    verb = "stays" if len(left) == 1 else "stay"
    return f"{start}; {_and(left)} {verb} readable. Name directories instead, or add to restricted_paths."


def _command_entries(host: HostPolicy) -> str | None:
    """Entries that can never match a program: a host that is more closed than its operator thinks."""
    if not host.commands.allow:
        return None
    from ssh_mcp.policy.allowlist import check_allow_entry

    for entry in host.commands.allow:
        if (problem := check_allow_entry(entry)) is not None:
            return f'the command_allowlist entry "{entry}" {problem}.'
    return None


def _open_entries(host: HostPolicy) -> str | None:
    """Entries that permit more than one program's own work."""
    from ssh_mcp.shell.starters import entry_warning

    found: dict[str, list[str]] = {}
    for entry in host.commands.allow:
        if (why := entry_warning(entry)) is not None:
            found.setdefault(why, []).append(f'"{entry}"')
    parts = [f"{_and(entries)} ({why})" for why, entries in found.items()]
    return f"command_allowlist permits more than it names: {'; '.join(parts)}." if parts else None


def _literal_wildcards(host: HostPolicy) -> str | None:
    entries = [p for p in (*host.paths.allow, *host.paths.restricted) if p != "*" and _WILDCARDS & set(p)]
    if not entries:
        return None
    return f"{entries[0]} is taken literally, since path lists hold directories. Use restricted_globs for patterns."


def _commands(host: HostPolicy) -> str | None:
    allow = host.commands.allow
    if "*" in allow:
        return 'command_allowlist holds "*": the exec tools run any command.'
    if allow:
        return None
    if host.commands.allow_any:
        return "no command_allowlist and ALLOW_ANY_COMMAND is set: the exec tools run any command."
    return "the dangerous tier is open but there is no command_allowlist: the exec tools refuse every command."


def _layers(document: Document) -> list[tuple[str, HostLayer]]:
    return [("defaults", document.defaults), *((f"hosts.{name}", layer) for name, layer in document.hosts.items())]


def _layer(name: str, layer: HostLayer) -> list[str]:
    found = []
    if layer.sudo_mode == "persistent-su":
        found.append(f"[{name}] sudo_mode: persistent-su is not supported; per-call is used.")
    if layer.auth.password_cmd is not None and layer.auth.method not in (None, "password"):
        found.append(f"[{name}.auth] password_cmd: has no effect with method {layer.auth.method}.")
    return found


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
