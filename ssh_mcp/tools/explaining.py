"""From a tool's name and its arguments to an explanation: what ``ssh_explain`` and ``ssh-mcp policy`` share."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ssh_mcp.errors import InvalidArgument, Refusal, public_text
from ssh_mcp.inventory.sources import Sources
from ssh_mcp.inventory.values import nearest, shown
from ssh_mcp.policy.approval import AskRules
from ssh_mcp.policy.closed import Reason as Closed
from ssh_mcp.policy.closed import closed_by
from ssh_mcp.policy.commands import Circumstances
from ssh_mcp.policy.explain import explain
from ssh_mcp.policy.explanation import Asked, Decision, Explanation, Ground, Needs, Reason, settings_in
from ssh_mcp.policy.parameters import path_parameters
from ssh_mcp.policy.paths import normalise_argument
from ssh_mcp.policy.tiers import Tier, visible
from ssh_mcp.results.explain import Explained, ExplainNeeds, ExplainReason
from ssh_mcp.tools.catalogue import Entry, closed_tools, read
from ssh_mcp.tools.modules import load

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import HostPolicy
    from ssh_mcp.inventory.resolve import Inventory
    from ssh_mcp.inventory.roles import Role
    from ssh_mcp.settings.model import Settings

COMMAND_TOOL = "ssh_exec_run"
"""The tool that a case or command line without a tool is about."""


@cache
def _entries() -> dict[str, Entry]:
    return {entry.name: entry for entry in read()}


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains calls under one inventory and its settings. ``canonical``: paths that a host resolved already;
    ``role``: what the caller is limited to.
    """

    inventory: Inventory
    settings: Settings
    canonical: Mapping[str, str] = field(default_factory=dict)
    role: Role | None = None

    def explain(self, host: str, tool: str, arguments: Mapping[str, Any]) -> Explanation:
        """What would be decided about ``tool`` on ``host``. Raises HostNotAllowed, HostBlocked, InvalidArgument."""
        policy = self.inventory.resolve(host)
        entry = self.entry(tool)
        spec = load(entry.family, entry.name)
        given = {**dict.fromkeys(spec.hosts[:1], host), **arguments}
        if "hosts" in spec.parameters:
            given.setdefault("hosts", [host])
        try:
            model = spec.arguments.model_validate(given)
        except ValidationError as error:
            return self._wrong(entry, error)
        values = {name: getattr(model, name) for name in spec.parameters}
        asked = Asked(tool, entry.group, entry.tier, values)
        needed = replace(entry, tier=Tier.SUDO) if asked.as_root else entry
        asked = replace(asked, closed=closed_by(tool, needed, self.settings))
        barred = self._barred_by_role(asked, needed.tier) or self._barred_by_platform(
            policy, tool, posix=spec.windows_instead is not None
        )
        if barred is not None:
            return Explanation(Decision.DENY, (barred,), _needs(entry, asked.closed))
        found = explain(asked, self._ground(policy, tool, values))
        return self._with_child(host, found, values) if tool == "ssh_fleet" else found

    def _barred_by_role(self, asked: Asked, tier: Tier) -> Reason | None:
        if self.role is None or asked.closed is not None:
            return None
        try:
            self.role.require_tier(tier)
        except Refusal as refusal:
            place = self.inventory.document.place(("roles", self.role.name, "tiers"))
            return Reason(f"roles.{self.role.name}", place, asked.tool, public_text(refusal))
        return None

    def _barred_by_platform(self, policy: HostPolicy, tool: str, *, posix: bool) -> Reason | None:
        """Why a tool that needs a POSIX shell cannot work there."""
        if not posix or not (policy.windows or policy.device is not None):
            return None
        what = "a Windows host" if policy.device is None else f"a network device ({policy.device.definition})"
        place = Sources(self.inventory.document, self.settings, policy.alias).of("platform")
        text = f"PlatformNotSupported: {tool} needs a POSIX shell, and {policy.alias} is {what}."
        return Reason("platform", place, tool, text)

    def _with_child(self, host: str, fleet: Explanation, values: Mapping[str, Any]) -> Explanation:
        """A fleet call as far as it concerns ``host``: what its tool would come to there counts."""
        tool = values["tool"]
        if load(self.entry(tool).family, tool).hosts != ("host",):
            refusal = f"InvalidArgument: {tool} does not take one host. Call it directly."
            return replace(
                fleet, decision=Decision.DENY, reasons=(Reason("schema of the tool", "built in", tool, refusal),)
            )
        child = self.explain(host, tool, values["arguments"] or {})
        decision = max(fleet.decision, child.decision, key=list(Decision).index)
        asks = child.needs.approval or fleet.needs.approval
        needs = replace(child.needs, approval=asks, setting=child.needs.setting or fleet.needs.setting)
        return Explanation(decision, (*fleet.reasons, *child.reasons), needs, (*fleet.unknown, *child.unknown))

    def entry(self, tool: str) -> Entry:
        """The tool of that name. Raises InvalidArgument with the nearest one."""
        found = _entries().get(tool)
        if found is None:
            guess = nearest(tool, list(_entries()))
            instead = f"Did you mean {guess}?" if guess else "Name one of the listed tools."
            raise InvalidArgument(f"There is no tool {shown(tool)}.", instead)
        return found

    def _ground(self, policy: HostPolicy, tool: str, values: Mapping[str, Any]) -> Ground:
        other = self._other(values)
        container, sudo = tool == "ssh_docker_exec", tool.startswith("ssh_sudo_") or values.get("sudo") is True
        circumstances = Circumstances(
            redact_globs=policy.paths.redact_globs,
            bypass=policy.paths.bypass,
            default_dir=policy.paths.default_dir,
            sudo=sudo,
            container=container,
            host=policy.alias,
            elevated=visible(Tier.SUDO, "sudo", self.settings) and (self.role is None or Tier.SUDO in self.role.tiers),
            closed=closed_tools(_entries().values(), self.settings),
        )
        return Ground(
            policy=policy,
            circumstances=circumstances,
            ask=self._rules(policy),
            source=Sources(self.inventory.document, self.settings, policy.alias).of,
            docker_privileged=self.settings.allow_docker_privileged,
            blocked=self.inventory.blocked,
            canonical=self.canonical,
            local_roots=tuple(self.settings.ssh_local_transfer_roots),
            other=other,
            other_ask=self._rules(other) if other is not None else AskRules(),
        )

    def _other(self, values: Mapping[str, Any]) -> HostPolicy | None:
        """The second host of a call, which the caller's role must reach too. Raises HostNotAllowed, HostBlocked."""
        name = values.get("dst_host", values.get("other_host"))
        if not isinstance(name, str):
            return None
        policy = self.inventory.resolve(name)
        if self.role is not None:
            self.role.require_host(policy.alias)
        return policy

    def _rules(self, policy: HostPolicy) -> AskRules:
        entries = (*policy.ask, *(self.role.ask if self.role is not None else ()))
        return AskRules.of((each.entry, each.source) for each in entries)

    def _wrong(self, entry: Entry, error: ValidationError) -> Explanation:
        """Arguments that the real call would refuse."""
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(p) for p in first["loc"]) or "arguments"
        refusal = f"InvalidArgument: {entry.name} got wrong arguments: {shown(where, 60)}: {first['msg']}."
        reason = Reason("schema of the tool", "built in", shown(where, 60), refusal)
        return Explanation(Decision.DENY, (reason,), _needs(entry, closed_by(entry.name, entry, self.settings)))


def _needs(entry: Entry, closed: Closed | None) -> Needs:
    return Needs(entry.tier.value, settings_in(closed))


def wanted_paths(policy: HostPolicy, tool: str, arguments: Mapping[str, Any]) -> list[str]:
    """The paths of a call as the host would be asked to canonicalise them; wrong ones are left out."""
    found = []
    for name in path_parameters(tool):
        values = arguments.get(name)
        for given in values if isinstance(values, list) else (values,):
            if isinstance(given, str):
                with suppress(Refusal):
                    found.append(normalise_argument(given, policy.paths))
    return found


def as_result(host: str, tool: str, found: Explanation) -> Explained:
    """The client's view of an explanation."""
    return Explained(
        host=host,
        tool=tool,
        decision=found.decision.value,
        reasons=[
            ExplainReason(rule=r.rule, source=r.source, part=r.part, refusal=r.refusal or None) for r in found.reasons
        ],
        needs=ExplainNeeds(tier=found.needs.tier, setting=found.needs.setting, approval=found.needs.approval),
        unknown=list(found.unknown),
    )
