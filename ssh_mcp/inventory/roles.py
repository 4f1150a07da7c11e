"""``[roles.<name>]`` and ``[identities]`` of hosts.toml: which hosts and tiers an authenticated identity may use.

Roles only narrow what the server permits, and only for identities that a token proved: over stdio, and over HTTP with
the shared bearer token, the caller is the local user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ssh_mcp.errors import HostNotAllowed, IdentityNotAllowed, InvalidArgument
from ssh_mcp.inventory.model import AskEntry, HostPolicy
from ssh_mcp.inventory.values import nearest, shown
from ssh_mcp.policy.tiers import Tier

if TYPE_CHECKING:
    from ssh_mcp.inventory.toml import Document

ANYONE: Final = "*"
"""In ``[identities]``: whoever no other line names."""
FIELDS: Final = ("hosts", "tiers", "ask")


@dataclass(frozen=True, slots=True)
class Role:
    """``hosts`` None: all; ``ask`` is added to each host's own rules."""

    name: str
    hosts: frozenset[str] | None = None
    tiers: tuple[Tier, ...] = (Tier.READ,)
    ask: tuple[AskEntry, ...] = ()

    def reaches(self, alias: str) -> bool:
        return self.hosts is None or alias in self.hosts

    def require_host(self, alias: str) -> None:
        """Raise HostNotAllowed for a host that the role does not reach."""
        if not self.reaches(alias):
            raise HostNotAllowed(
                f"{alias} is not among the hosts of the role {self.name}.", "ssh_host_list shows those."
            )

    def require_tier(self, tier: Tier) -> None:
        """Raise IdentityNotAllowed for a tier that the role does not open."""
        if tier not in self.tiers:
            raise IdentityNotAllowed(
                f"The role {self.name} does not open the {tier.value} tier.",
                "The operator changes [roles] in hosts.toml.",
            )


@dataclass(frozen=True, slots=True)
class Roles:
    """``identities``: subject, ``claim:value`` or ``*`` → the name of a role, as in the file."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    identities: Mapping[str, str] = field(default_factory=dict)

    def of(self, identity: str, claims: Iterable[str]) -> Role | None:
        """The role of an authenticated identity: by its subject, else by the first claim of ``[identities]`` that it
        has, else by ``*``. None where the file has no identities. Raises IdentityNotAllowed.
        """
        if not self.identities:
            return None
        held = frozenset(claims)
        # A subject with a colon could be chosen to look like a claim's line: sub: names those.
        named = None if identity == ANYONE or ":" in identity else self.identities.get(identity)
        by_claim = next((role for key, role in self.identities.items() if key in held), None)
        role = named or by_claim or self.identities.get(ANYONE)
        if role is None:
            raise IdentityNotAllowed(
                f"{shown(identity)} has no role on this server.", "The operator adds one in [identities] of hosts.toml."
            )
        return self.roles[role]


def claims_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """A token's claims as ``claim:value``, one for each value of a list; space-separated scopes are one each."""
    found: list[str] = []
    for name, value in claims.items():
        words = name in ("scope", "scp") and isinstance(value, str)
        values = value.split() if words else value if isinstance(value, list) else [value]
        found += [f"{name}:{each}" for each in values if isinstance(each, str)]
    return tuple(found)


def read_roles(document: Document, hosts: Iterable[HostPolicy]) -> Roles:
    """Check both tables. Raises ConfigError with one line."""
    known = list(hosts)
    roles = {name: _role(document, name, table, known) for name, table in document.roles.items()}
    for key, role in document.identities.items():
        if not isinstance(role, str) or role not in roles:
            guess = nearest(role, list(roles)) if isinstance(role, str) else None
            raise document.error(
                ("identities", key),
                f"{shown(str(role))} is not a role",
                f"Did you mean {guess}?" if guess else "Name one of [roles.<name>].",
            )
    return Roles(roles, dict(document.identities))


def _role(document: Document, name: str, table: Mapping[str, Any], known: list[HostPolicy]) -> Role:
    path = ("roles", name)
    for key, value in table.items():
        if key not in FIELDS:
            guess = nearest(key, FIELDS)
            raise document.error(
                (*path, key), "unknown field", f"Did you mean {guess}?" if guess else f"Known are {', '.join(FIELDS)}."
            )
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise document.error((*path, key), "is not a list of strings", f'Write {key} = ["..."].')
    return Role(
        name,
        _hosts(document, path, table.get("hosts"), known),
        _tiers(document, path, table.get("tiers", [Tier.READ.value])),
        _ask(document, path, table.get("ask", [])),
    )


def _hosts(
    document: Document, path: tuple[str, ...], items: list[str] | None, known: list[HostPolicy]
) -> frozenset[str] | None:
    if items is None:
        return None
    from ssh_mcp.inventory.selectors import select  # late: roles are for servers of teams

    try:
        names = select(items, known) if items else []
    except InvalidArgument as error:
        raise document.error((*path, "hosts"), error.what.rstrip("."), error.remedy) from None
    for missing in set(names) - {host.alias for host in known}:
        raise document.error((*path, "hosts"), f"{shown(missing)} is not a host", "Write aliases, web[01-20] or @tag.")
    return frozenset(names)


def _tiers(document: Document, path: tuple[str, ...], names: list[str]) -> tuple[Tier, ...]:
    for name in names:
        if name not in set(Tier):
            raise document.error((*path, "tiers"), f"{shown(name)} is not a tier", f"Tiers are {', '.join(Tier)}.")
    return tuple(tier for tier in Tier if tier in names)


def _ask(document: Document, path: tuple[str, ...], entries: list[str]) -> tuple[AskEntry, ...]:
    if not entries:
        return ()
    from ssh_mcp.policy.approval import check_ask_entry

    for entry in entries:
        if (problem := check_ask_entry(entry)) is not None:
            raise document.error(
                (*path, "ask"), f"{shown(entry)} {problem}", "Tiers, group:, ssh_ tools, command:, write:."
            )
    return tuple(AskEntry(entry, document.place((*path, "ask"))) for entry in entries)
