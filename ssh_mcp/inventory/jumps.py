"""proxy_jump → the chain of jump hosts. Pure.

As with ssh's ProxyJump, the first name of a list is reached by its own way and each further one through those before
it. A jump of the defaults does not hold for the jump hosts themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ssh_mcp.inventory import values
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.toml import Document
from ssh_mcp.inventory.values import shown

Policies = dict[str, HostPolicy]


def with_jumps(document: Document, hosts: Policies, outside: Policies) -> tuple[Policies, Policies]:
    """Both maps with ``jump`` filled in. Raises ConfigError for an unknown name and for a circle."""
    jumps = _Jumps(document, {**outside, **hosts})
    for name in jumps.bare:
        jumps.check(name)
    return ({name: jumps.policy(name) for name in hosts}, {name: jumps.policy(name) for name in outside})


@dataclass(slots=True)
class _Jumps:
    document: Document
    bare: Mapping[str, HostPolicy]
    exempt: frozenset[str] = field(init=False)
    done: Policies = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        found: set[str] = set()
        waiting = list(self.document.defaults.proxy_jump or ())
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.own(name) or ()
        self.exempt = frozenset(found)

    def own(self, name: str) -> tuple[str, ...] | None:
        layer = self.document.hosts.get(name)
        return layer.proxy_jump if layer else None

    def names(self, name: str) -> tuple[str, ...]:
        own = self.own(name)
        if own is not None:
            return own
        return () if name in self.exempt else self.document.defaults.proxy_jump or ()

    def place(self, name: str) -> tuple[str, ...]:
        return ("defaults", "proxy_jump") if self.own(name) is None else ("hosts", name, "proxy_jump")

    def check(self, start: str) -> None:
        """Follow every jump from ``start``, depth first and without recursion."""
        trail: list[tuple[str, list[str]]] = [(start, list(self.known(start)))]
        while trail:
            name, waiting = trail[-1]
            if not waiting:
                self.sound.add(name)
                trail.pop()
                continue
            following = waiting.pop(0)
            path = [n for n, _ in trail]
            if following in path:
                circle = " -> ".join([*path[path.index(following) :], following])
                raise self.document.error(self.place(name), f"jumps in a circle: {circle}", "Remove one of them.")
            if following not in self.sound:
                trail.append((following, list(self.known(following))))

    def known(self, name: str) -> tuple[str, ...]:
        for jump in self.names(name):
            if jump not in self.bare:
                guess = values.nearest(jump, self.bare)
                remedy = f"Did you mean {guess}?" if guess else "Name an alias of this file."
                raise self.document.error(self.place(name), f"{shown(jump)} is not a known alias", remedy)
        return self.names(name)

    def policy(self, name: str) -> HostPolicy:
        if name not in self.done:
            chain: tuple[HostPolicy, ...] = ()
            for i, jump in enumerate(self.names(name)):
                if i == 0:
                    first = self.policy(jump)
                    chain = (*first.jump, first)
                else:
                    chain = (*chain, dataclasses.replace(self.bare[jump], jump=chain))
            self.done[name] = dataclasses.replace(self.bare[name], jump=chain)
        return self.done[name]
