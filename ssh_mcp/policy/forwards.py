"""Where a forward may lead: permission lists per kind, and the blocklist. Pure.

A list names targets as the side that connects knows them: for a local forward the host, for a remote one this machine.
Entries are ``name:port``, ``address:port``, ``network/prefix:port`` or ``[v6]:port``; ``*`` is any port. Names compare
exactly: what a name resolves to is only known where it is connected from.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal

from ssh_mcp.errors import ForwardNotAllowed, HostBlocked, InvalidArgument
from ssh_mcp.inventory.model import ForwardPolicy
from ssh_mcp.inventory.values import block_key, host_key, shown
from ssh_mcp.policy.permitted_path import POLICY, Maker

Kind = Literal["local", "remote", "dynamic"]

_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?\Z")
"""A host name or an IPv4 address: nothing that begins with a dash, holds a slash (a Unix socket) or a blank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedTarget:
    """A target that the operator's lists permit. Made by this module alone."""

    maker: Maker
    host: str
    port: int

    def __post_init__(self) -> None:
        if self.maker is not POLICY:
            raise TypeError("only policy makes a PermittedTarget")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_entry(entry: str) -> str | None:
    """What is wrong with one entry of forward_local or forward_remote, as one clause; None if it is fine."""
    try:
        host, port = _split(entry)
    except ValueError:
        return 'is no "host:port"'
    if port != "*" and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return "names no port from 1 to 65535"
    if "/" in host:
        try:
            ipaddress.ip_network(host, strict=True)
        except ValueError:
            return "names no network such as 10.0.0.0/8"
        return None
    return None if _is_host(host) else "names no host"


def permit(text: str, policy: ForwardPolicy, kind: Kind, blocked: frozenset[str]) -> PermittedTarget:
    """Decide about ``host:port``. ``blocked`` holds block keys of SSH_HOSTS_BLOCKLIST.

    Raises InvalidArgument for what is not a target, HostBlocked, and ForwardNotAllowed.
    """
    try:
        host, port = _split(text)
    except ValueError:
        host, port = "", ""
    if not _is_host(host) or not (port.isascii() and port.isdigit()) or len(port) > 5 or not 0 < int(port) < 65536:
        raise InvalidArgument(
            f"{shown(text)} is not a target.", "Give host:port, such as db.internal:5432 or [::1]:80."
        )
    if block_key(host) in blocked:
        raise HostBlocked(f"{shown(host)} is on SSH_HOSTS_BLOCKLIST.", "Only the operator can change that.")
    if not _listed(host, int(port), policy, kind):
        name = f"forward_{kind}"
        raise ForwardNotAllowed(
            f"A {kind} forward to {shown(text)} is not permitted on this host.",
            f"The operator permits targets with {name} in hosts.toml.",
        )
    return PermittedTarget(maker=POLICY, host=host, port=int(port))


def require_dynamic(policy: ForwardPolicy) -> None:
    """Raise ForwardNotAllowed where the host has no dynamic forwards."""
    if not policy.dynamic:
        raise ForwardNotAllowed(
            "Dynamic forwards are not permitted on this host.",
            "The operator permits them with forward_dynamic = true in hosts.toml.",
        )


def _listed(host: str, port: int, policy: ForwardPolicy, kind: Kind) -> bool:
    if kind == "dynamic":
        return policy.dynamic
    entries = policy.local if kind == "local" else policy.remote
    return any(_matches(host, port, *_split(entry)) for entry in entries)


def _matches(host: str, port: int, entry_host: str, entry_port: str) -> bool:
    if entry_port not in ("*", str(port)):
        return False
    if "/" not in entry_host:
        return host_key(host) == host_key(entry_host)
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry_host)
    except ValueError:
        return False


def _split(text: str) -> tuple[str, str]:
    """Host and port; brackets around IPv6 go. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(text)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        ipaddress.IPv6Address(host)
    elif ":" in host and "/" not in host:
        raise ValueError(text)
    return host, port


def _is_host(host: str) -> bool:
    if ":" in host:
        return True  # an IPv6 address: only brackets that held one come here
    return _NAME.match(host) is not None
