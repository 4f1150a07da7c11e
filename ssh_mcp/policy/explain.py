"""What policy would decide about a tool call, and why. Pure: nothing is sent to any host.

The decisions are made by the functions that the real call uses (``permit``, ``decide``, ``decide_run``, the ask rules);
this module only knows which parameter of a tool is a path, a command or a list of options, and puts into words what
came out. What only the host can say (links, PATH) is listed as unknown.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ssh_mcp.errors import (
    CommandIsCheatsheetMatch,
    HostBlocked,
    PathRestricted,
    RedactBypassBlocked,
    Refusal,
    public_text,
)
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.policy.allowlist import Allowlist
from ssh_mcp.policy.approval import AskMatch, AskRules
from ssh_mcp.policy.closed import ClosedTools
from ssh_mcp.policy.closed import Reason as Closed
from ssh_mcp.policy.commands import Circumstances, permit, permit_script
from ssh_mcp.policy.docker_run import decide_run
from ssh_mcp.policy.forwards import permit as permit_target
from ssh_mcp.policy.forwards import require_dynamic
from ssh_mcp.policy.paths import Purpose, decide, decide_two, normalise_argument, redact_listed, restricted_by
from ssh_mcp.policy.permitted import PermittedCommand
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.shell.values import known

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
    other: HostPolicy | None = None
    """The second host of a transfer: the target; ``other_ask`` are its rules."""
    other_ask: AskRules = field(default_factory=AskRules)


# --- which parameter is what ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Path:
    """A parameter that is a path. ``tree``: what lies below it changes too; ``reader`` masks in the same view."""

    parameter: str
    purpose: Purpose
    tree: bool = False
    reader: str = "ssh_read_redacted"


_READ, _WRITE, _LIST, _STAT = Purpose.READ_RAW, Purpose.WRITE, Purpose.LIST, Purpose.STAT
_PATHS: Final[dict[str, tuple[_Path, ...]]] = {
    "ssh_sftp_list": (_Path("path", _LIST),),
    "ssh_sftp_stat": (_Path("path", _STAT),),
    "ssh_sftp_download": (_Path("path", _READ),),
    "ssh_read_redacted": (_Path("path", Purpose.READ_REDACTED),),
    "ssh_file_hash": (_Path("path", _STAT),),
    "ssh_find": (_Path("path", _LIST),),
    "ssh_grep": (_Path("path", _LIST),),
    "ssh_disk_usage_of": (_Path("path", _LIST),),
    "ssh_upload": (_Path("path", _WRITE),),
    "ssh_deploy": (_Path("path", _WRITE),),
    "ssh_edit": (_Path("path", _WRITE),),
    "ssh_patch": (_Path("path", _WRITE),),
    "ssh_mkdir": (_Path("path", _WRITE),),
    "ssh_delete": (_Path("path", Purpose.DELETE, tree=True),),
    "ssh_delete_folder": (_Path("path", Purpose.DELETE, tree=True),),
    "ssh_mv": (_Path("src", Purpose.DELETE, tree=True), _Path("dst", _WRITE, tree=True)),
    "ssh_link": (_Path("src", _STAT), _Path("dst", _WRITE, tree=True)),
    "ssh_sudo_read": (_Path("path", _READ, reader="ssh_sudo_read_redacted"),),
    "ssh_sudo_read_redacted": (_Path("path", Purpose.READ_REDACTED),),
    "ssh_sudo_sftp_list": (_Path("path", _LIST),),
    "ssh_sudo_write": (_Path("path", _WRITE),),
    "ssh_sudo_edit": (_Path("path", _WRITE),),
    **{f"ssh_docker_compose_{verb}": (_Path("compose_file", _READ),)
       for verb in ("up", "down", "logs", "ps", "pull", "restart", "start", "stop")},
}  # fmt: skip
_TWO: Final = {"ssh_cp": ("src", "dst"), "ssh_mv": ("src", "dst"), "ssh_transfer": ("src_path", "dst_path")}
"""Both sides are decided together: a redact-listed file must not get a name under which it could be read raw."""
_COMMANDS: Final = {
    "ssh_exec_run": "command",
    "ssh_exec_run_streaming": "command",
    "ssh_broadcast": "command",
    "ssh_shell_exec": "command",
    "ssh_docker_exec": "command",
    "ssh_sudo_exec": "command",
    "ssh_job_start": "command",
}
_SCRIPTS: Final = {"ssh_exec_script": "script", "ssh_sudo_run_script": "script"}
_ELSEWHERE: Final = {
    "ssh_sync": "paths are decided one by one while the trees are compared",
    "ssh_archive": "the members of the archive are decided before anything is written",
    "ssh_fleet": "the tool that it calls is decided on each host",
    "ssh_terminal_open": "what is typed into the terminal is decided by the host alone",
}


def path_parameters(tool: str) -> tuple[str, ...]:
    """The parameters of ``tool`` that are paths on the host, in order."""
    found = dict.fromkeys(p.parameter for p in _PATHS.get(tool, ()))
    found |= dict.fromkeys(_TWO.get(tool, ()))
    return (*found, *(("host_path",) if tool == "ssh_docker_cp" else ()))


_SETTING: Final = re.compile(r"\b(?:ALLOW|SSH)_[A-Z_]+\b")


def settings_in(closed: Closed | None) -> str | None:
    """The settings that open a closed tool, separated by commas."""
    return ", ".join(_SETTING.findall(closed.opens)) if closed else None


# --- the explanation ------------------------------------------------------------------------------------------------


class _Account:
    """Collects reasons in the order in which the real call decides."""

    def __init__(self, asked: Asked, ground: Ground) -> None:
        self.asked = asked
        self.ground = ground
        self.reasons: list[Reason] = []
        self.asks: list[AskMatch] = []
        self.unknown: list[str] = []
        self.setting = settings_in(asked.closed)

    def permits(self, rule: str, source: str, part: str) -> None:
        self.reasons.append(Reason(rule, source, part))

    def refuses(self, rule: str, source: str, part: str, refusal: Refusal | str) -> None:
        text = refusal if isinstance(refusal, str) else public_text(refusal)
        self.reasons.append(Reason(rule, source, part, text))

    def argument(self, name: str) -> str:
        value = self.asked.arguments.get(name)
        return value if isinstance(value, str) else ""


def explain(asked: Asked, ground: Ground) -> Explanation:
    """Decide about one call as the real one would, and say why."""
    account = _Account(asked, ground)
    tool = asked.tool
    if asked.closed is not None:
        refusal = ClosedTools({tool: asked.closed}).refusal(tool)
        account.refuses(f"tier {Tier.SUDO if asked.as_root else asked.tier}", account.setting or "", tool, refusal)
    for rules in (ground.ask, ground.other_ask):
        account.asks += rules.for_tool(tool, asked.group, asked.tier)
        if asked.as_root:
            account.asks += rules.for_tool(tool, "sudo", Tier.SUDO)
    if tool in _COMMANDS:
        _command(account, account.argument(_COMMANDS[tool]), script=False)
    elif tool in _SCRIPTS:
        _command(account, account.argument(_SCRIPTS[tool]), script=True)
    _paths(account)
    if tool == "ssh_docker_run":
        _docker_run(account)
    if tool == "ssh_forward_open":
        _forward(account)
    if tool in _ELSEWHERE:
        account.unknown.append(_ELSEWHERE[tool])
    if not account.reasons:
        account.permits(f"tier {asked.tier}", "open", tool)
    return _concluded(account)


def _concluded(account: _Account) -> Explanation:
    refused = any(r.refusal for r in account.reasons)
    asks = tuple(dict.fromkeys(account.asks))
    reasons = (*account.reasons, *(Reason(a.rule, a.source, a.part) for a in asks))
    return Explanation(
        Decision.DENY if refused else Decision.ASK if asks else Decision.ALLOW,
        tuple(dict.fromkeys(reasons)),
        Needs(str(account.asked.tier), account.setting, asks[0].rule if asks else None),
        tuple(dict.fromkeys(account.unknown)),
    )


# --- commands -------------------------------------------------------------------------------------------------------


def _command(account: _Account, text: str, *, script: bool) -> None:
    policy, where = account.ground.policy.commands, account.ground.circumstances
    try:
        permitted = permit_script(text, policy, where) if script else permit(text, policy, where)
    except Refusal as refusal:
        rule, source = _command_rule(account, refusal)
        account.refuses(rule, source, text[:200], refusal)
        return
    account.asks += account.ground.ask.for_command(permitted)
    _programs(account, permitted)


def _command_rule(account: _Account, refusal: Refusal) -> tuple[str, str]:
    source = account.ground.source
    if isinstance(refusal, CommandIsCheatsheetMatch):
        return f"cheatsheet {refusal.pattern_id}", "SSH_EXEC_ALLOW_CHEATSHEET_PATTERNS"
    if isinstance(refusal, RedactBypassBlocked):
        return "redact_paths_globs", source("redact_paths_globs", "")
    if not account.ground.policy.commands.allow:
        account.setting = account.setting or "command_allowlist"
        return "no command_allowlist", "ALLOW_ANY_COMMAND"
    return "command_allowlist", source("command_allowlist", "")


def _programs(account: _Account, permitted: PermittedCommand) -> None:
    """One reason per program, with the entry that permits it."""
    policy, source = account.ground.policy.commands, account.ground.source
    if "*" in policy.allow:
        account.permits("*", source("command_allowlist", "*"), permitted.text[:200])
        return
    if not policy.allow:
        account.permits("ALLOW_ANY_COMMAND", "ALLOW_ANY_COMMAND", permitted.text[:200])
        return
    for invocation in permitted.invocations or ():
        args = [known(w) if w is not None else known("\0") for w in invocation.words]
        entry = next((e for e in policy.allow if Allowlist.of((e,)).permits(invocation.program, args)), "")
        account.permits(entry, source("command_allowlist", entry), str(invocation)[:200])
        if "/" not in invocation.program:
            account.unknown.append(
                f"which file {invocation.program} is: PATH, aliases and functions of the host decide"
            )
    if not permitted.invocations:
        account.permits("builtins of the shell", "built in", permitted.text[:200])


# --- paths ----------------------------------------------------------------------------------------------------------


def _paths(account: _Account) -> None:
    tool = account.asked.tool
    two = _TWO.get(tool)
    hard = tool == "ssh_link" and account.asked.arguments.get("symbolic") is False
    if two is not None or hard:
        _two_paths(account, *(two or ("src", "dst")))
    if hard:  # who has the second name can write the first
        _one_path(account, _Path("src", _WRITE))
    for path in _PATHS.get(tool, ()):
        _one_path(account, path)
    if tool == "ssh_docker_cp":
        out = account.asked.arguments.get("direction") == "from_container"
        _one_path(account, _Path("host_path", _WRITE if out else _READ))
    if tool.startswith("ssh_docker_compose_"):
        account.unknown.append("what the compose file mounts and reads: its content is decided when it was read")


def _one_path(account: _Account, path: _Path) -> None:
    given = account.asked.arguments.get(path.parameter)
    if not isinstance(given, str):
        return
    policy = account.ground.policy.paths
    try:
        canonical = _canonical(account, given, account.ground.policy)
        decide(canonical, policy, purpose=path.purpose, reader=path.reader)
    except Refusal as refusal:
        _refused_path(account, account.ground.policy, given, refusal)
        return
    _permitted_path(account, account.ground.policy, canonical)
    if path.purpose is _READ:
        account.unknown.append(f"whether the text of {canonical} holds secrets")
    if path.purpose in (_WRITE, Purpose.DELETE):
        _asks_for_write(account, account.ground.policy, canonical, tree=path.tree)


def _two_paths(account: _Account, source: str, target: str) -> None:
    here, there = account.ground.policy, account.ground.other or account.ground.policy
    given = [account.asked.arguments.get(name) for name in (source, target)]
    first, second = (g if isinstance(g, str) else "" for g in given)
    try:
        start, end = _canonical(account, first, here), _canonical(account, second, there)
        purpose = _STAT if account.asked.tool == "ssh_mv" else _READ
        decide_two(start, end, here.paths, source_purpose=purpose, target_policy=there.paths)
    except Refusal as refusal:
        inside = _is_about(refusal, second)
        _refused_path(account, there if inside else here, second if inside else first, refusal)
        return
    if start == end and here is there:
        account.refuses("shape of a path", "built in", end, "InvalidArgument: src and dst are the same file.")
    _permitted_path(account, here, start)
    _permitted_path(account, there, end)
    if account.asked.tool != "ssh_mv":
        _asks_for_write(account, there, end, tree=False)


def _is_about(refusal: Refusal, path: str) -> bool:
    return bool(path) and posixpath.basename(path.rstrip("/")) in refusal.what


def _asks_for_write(account: _Account, policy: HostPolicy, canonical: str, *, tree: bool) -> None:
    fold = policy.paths.fold_case or policy.windows
    rules = account.ground.other_ask if policy is account.ground.other else account.ground.ask
    account.asks += (
        rules.for_tree(canonical, ignore_case=fold) if tree else rules.for_write(canonical, ignore_case=fold)
    )


def _canonical(account: _Account, given: str, policy: HostPolicy) -> str:
    """The path as the host resolved it, or without its links. Raises InvalidArgument, PathNotAllowed."""
    wanted = normalise_argument(given, policy.paths)
    found = account.ground.canonical.get(wanted)
    if found is not None:
        return found
    account.unknown.append(f"where {wanted} leads: links are followed on the host")
    return posixpath.normpath(wanted)


def _refused_path(account: _Account, policy: HostPolicy, given: str, refusal: Refusal) -> None:
    source = account.ground.source
    rule = "path_allowlist"
    if isinstance(refusal, PathRestricted | RedactBypassBlocked):
        canonical = _quietly(account, given, policy)
        listed = "redact_paths_globs" if isinstance(refusal, RedactBypassBlocked) else "restricted_paths"
        rule = _rule_about(canonical, policy, listed) or listed
        account.refuses(rule, _source_of(source, rule, listed), given[:200], refusal)
        return
    if type(refusal).__name__ == "InvalidArgument":
        account.refuses("shape of a path", "built in", given[:200], refusal)
        return
    account.refuses(rule, source("path_allowlist", ""), given[:200], refusal)


def _quietly(account: _Account, given: str, policy: HostPolicy) -> str:
    before = list(account.unknown)
    canonical = _canonical(account, given, policy)
    account.unknown = before
    return canonical


def _rule_about(canonical: str, policy: HostPolicy, listed: str) -> str | None:
    if listed == "restricted_paths":
        return restricted_by(canonical, policy.paths)
    from dataclasses import replace

    globs = policy.paths.redact_globs
    return next((g for g in globs if redact_listed(canonical, replace(policy.paths, redact_globs=(g,)))), None)


def _source_of(source: Source, rule: str, listed: str) -> str:
    """Restricted paths and restricted globs refuse alike; the entry is looked for in both lists."""
    found = source(listed, rule)
    return source("restricted_globs", rule) if listed == "restricted_paths" and not found else found


def _permitted_path(account: _Account, policy: HostPolicy, canonical: str) -> None:
    from dataclasses import replace

    for entry in policy.paths.allow:
        only = replace(policy.paths, allow=(entry,), restricted=(), restricted_globs=(), redact_globs=())
        try:
            decide(canonical, only, purpose=Purpose.STAT)
        except Refusal:
            continue
        account.permits(entry, account.ground.source("path_allowlist", entry), canonical)
        return


# --- forwards -------------------------------------------------------------------------------------------------------


def _forward(account: _Account) -> None:
    kind, target = account.asked.arguments.get("kind"), account.argument("target")
    policy, source = account.ground.policy.forwards, account.ground.source
    try:
        if kind == "dynamic":
            require_dynamic(policy)
        else:
            permit_target(target, policy, "remote" if kind == "remote" else "local", account.ground.blocked)
    except Refusal as refusal:
        blocked = isinstance(refusal, HostBlocked)
        rule = "SSH_HOSTS_BLOCKLIST" if blocked else f"forward_{kind}"
        account.refuses(rule, rule if blocked else source(rule, ""), target[:200], refusal)
        return
    account.permits(f"forward_{kind}", source(f"forward_{kind}", ""), target[:200])


# --- docker ---------------------------------------------------------------------------------------------------------


def _docker_run(account: _Account) -> None:
    given = account.asked.arguments.get("args")
    options = [str(word) for word in given] if isinstance(given, Iterable) and not isinstance(given, str) else []
    try:
        plan = decide_run(options, privileged=account.ground.docker_privileged)
    except Refusal as refusal:
        account.setting = account.setting or "ALLOW_DOCKER_PRIVILEGED"
        account.refuses("options of docker run", "ALLOW_DOCKER_PRIVILEGED", " ".join(options)[:200], refusal)
        return
    account.permits("options of docker run", "built in", " ".join(options)[:200])
    for source in plan.sources:
        mount = Asked(account.asked.tool, account.asked.group, account.asked.tier, {"source": source})
        inner = _Account(mount, account.ground)
        _one_path(inner, _Path("source", _READ))
        account.reasons += inner.reasons
        account.unknown += inner.unknown
