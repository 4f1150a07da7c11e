"""Tools that are closed here: what opens each, and texts without advice to use one. Pure.

Texts (skills, descriptions, refusals) are written for a server with everything open. On another one, a sentence that
names a closed tool would send a model to a call that must fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import TierClosed
from ssh_mcp.policy.tiers import Placed, Tier, enabled_groups, open_tiers
from ssh_mcp.policy.toolset import listed

if TYPE_CHECKING:
    from ssh_mcp.settings.model import Settings

_NAME: Final = re.compile(r"\bssh_[a-z0-9_]+\b")
_SENTENCE: Final = re.compile(r"(?<=[.!?;:])\s+")
_CODE: Final = re.compile(r"```.*?```", re.DOTALL)
_LISTED: Final = re.compile(r"`ssh_[a-z0-9_]+`(?:, `ssh_[a-z0-9_]+`)*\.?\Z")
"""A line that is only a list of tools, as below "Related tools"."""
_SHELLS: Final = frozenset({"ssh_shell_open", "ssh_shell_exec"})
_OPENED_BY: Final[Mapping[Tier, tuple[str, ...]]] = {
    Tier.READ: (),
    Tier.LOW_ACCESS: ("ALLOW_LOW_ACCESS_TOOLS",),
    Tier.DANGEROUS: ("ALLOW_DANGEROUS_TOOLS",),
    Tier.SUDO: ("ALLOW_DANGEROUS_TOOLS", "ALLOW_SUDO"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a tool is closed: ``where`` it belongs, and ``opens``, what the operator sets, in words."""

    where: str
    opens: str


def closed_by(name: str, tool: Placed, settings: Settings) -> Reason | None:
    """Why a tool is neither listed nor callable; None where it is open."""
    where, opens = [], []
    if tool.tier not in open_tiers(settings):
        where.append(f"in the {tool.tier.value} tier, which is closed")
        needed = [s for s in _OPENED_BY[tool.tier] if not getattr(settings, s.lower())]
        opens.append(f"sets {' and '.join(f'{s}=true' for s in needed)}")
    if tool.group not in enabled_groups(settings):
        where.append(f"in the group {tool.group}, which is not enabled")
        opens.append(f"adds {tool.group} to SSH_ENABLED_GROUPS")
    if name in _SHELLS and not settings.allow_persistent_sessions:
        where.append("for shell sessions, which are switched off")
        opens.append("sets ALLOW_PERSISTENT_SESSIONS=true")
    if not listed(name, settings.ssh_tools):
        where.append("not on the list of SSH_TOOLS")
        opens.append("adds it to SSH_TOOLS")
    return Reason(" and ".join(where), " and ".join(opens)) if where else None


@dataclass(frozen=True, slots=True)
class ClosedTools:
    """The closed tools of one server, by name."""

    reasons: Mapping[str, Reason] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.reasons

    def refusal(self, name: str) -> TierClosed:
        """The refusal that a call of a closed tool gets."""
        reason = self.reasons[name]
        return TierClosed(f"{name} is {reason.where}.", f"To open it, the operator {reason.opens}.")

    def without_advice(self, text: str, *, say: bool = True) -> str:
        """``text`` without the sentences that name a closed tool; ``say``: with what opens those tools instead."""
        if not self._named(text):
            return text
        kept: list[str] = []
        for sentence in _SENTENCE.split(text):
            names = self._named(sentence)
            if not names:
                kept.append(sentence)
            elif say and (instead := self._instead(names)) not in kept:
                kept.append(instead)
        return " ".join(kept)

    def skill(self, text: str) -> str:
        """A SKILL.md without steps and lines that need a closed tool, and a last line that says what opens them."""
        if not self._named(text):
            return text
        missing: dict[str, None] = {}

        def block(found: re.Match[str]) -> str:
            names = self._named(found[0])
            missing.update(dict.fromkeys(names))
            return "(This step needs a tool that is closed here.)" if names else found[0]

        lines = []
        for line in _CODE.sub(block, text).split("\n"):
            names = self._named(line)
            missing.update(dict.fromkeys(names))
            lines.append(line if not names else self._line(line))
        return "\n".join(lines).rstrip("\n") + f"\n\n{self._instead(list(missing))}\n"

    def _line(self, line: str) -> str:
        """A line of a skill that names closed tools: a list loses their names, a bullet or sentence goes."""
        if _LISTED.match(line):
            return ", ".join(part for part in line.split(", ") if not self._named(part))
        lead = re.match(r"\s*(?:[-*]|\d+\.)?\s*", line)
        start = lead[0] if lead else ""
        rest = self.without_advice(line[len(start) :], say=False)
        return f"{start}{rest}" if rest else ""

    def _named(self, text: str) -> list[str]:
        return [name for name in _NAME.findall(text) if name in self.reasons]

    def _instead(self, names: Sequence[str]) -> str:
        ways = dict.fromkeys(self.reasons[name].opens.replace("adds it to", "extends") for name in names)
        return f"Tools for this are closed here; to open them, the operator {', or '.join(ways)}."
