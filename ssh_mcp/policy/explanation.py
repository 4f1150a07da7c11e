"""What an explanation is made from, and what it says. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.policy.approval import AskRules
from ssh_mcp.policy.closed import Reason as Closed
from ssh_mcp.policy.commands import Circumstances
from ssh_mcp.policy.tiers import Tier

Source = Callable[[str, str], str]
"""From a field of hosts.toml and one of its entries ("" for the whole list) to where that was written."""


class Decision(StrEnum):
    """In the order of their weight: deny wins over ask, ask over allow."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Reason:
    """``rule`` decided about ``part`` of the call; ``source``: file:line, or the name of a setting.

    ``refusal`` is what the real call would say, empty where the rule permits.
    """

    rule: str
    source: str
    part: str
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be so for the call to run: the tool's tier, a setting that is closed, the rule that asks a person."""

    tier: str
    setting: str | None = None
    approval: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be decided. ``unknown``: what only the host can say."""

    decision: Decision
    reasons: tuple[Reason, ...]
    needs: Needs
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """The call to explain, its arguments validated. ``closed``: why it is closed, if it is."""

    tool: str
    group: str
    tier: Tier
    arguments: Mapping[str, Any]
    closed: Closed | None = None

    @property
    def as_root(self) -> bool:
        """Whether a tool that runs as the login's user is asked to run as root: rules about sudo hold then."""
        return self.tier is not Tier.SUDO and self.arguments.get("sudo") is True


@dataclass(frozen=True, slots=True)
class Ground:
    """The host's policy and what else the decision depends on.

    ``canonical``: paths that the host itself resolved, by the normalised argument; the others are resolved without
    their links.
    """

    policy: HostPolicy
    circumstances: Circumstances
    ask: AskRules
    source: Source
    docker_privileged: bool = False
    blocked: frozenset[str] = frozenset()
    """Block keys of SSH_HOSTS_BLOCKLIST, for the targets of forwards."""
    canonical: Mapping[str, str] = field(default_factory=dict)
    local_roots: tuple[str, ...] = ()
    """SSH_LOCAL_TRANSFER_ROOTS."""
    other: HostPolicy | None = None
    """The second host of a transfer: the target; ``other_ask`` are its rules."""
    other_ask: AskRules = field(default_factory=AskRules)


_SETTING: Final = re.compile(r"\b(?:ALLOW|SSH)_[A-Z_]+\b")


def settings_in(closed: Closed | None) -> str | None:
    """The settings that open a closed tool, separated by commas."""
    return ", ".join(_SETTING.findall(closed.opens)) if closed else None
