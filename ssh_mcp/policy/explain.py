"""What policy would decide about a tool call, and why. Pure: nothing is sent to any host.

The decisions are made by the functions that the real call uses (``permit``, ``decide``, ``decide_run``, the ask rules).
``parameters`` has which parameter of a tool is a path or a command; this module words what came out. What only
the host can say (links, PATH) is listed as unknown.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Final

from ssh_mcp.errors import (
    CommandIsCheatsheetMatch,
    HostBlocked,
    PathRestricted,
    RedactBypassBlocked,
    Refusal,
    public_text,
)
from ssh_mcp.inventory.model import CommandPolicy, HostPolicy
from ssh_mcp.policy.allowlist import Allowlist
from ssh_mcp.policy.approval import AskMatch
from ssh_mcp.policy.closed import ClosedTools
from ssh_mcp.policy.commands import Circumstances, permit, permit_script, permit_typed
from ssh_mcp.policy.devices import permit as permit_line
from ssh_mcp.policy.docker_run import decide_run
from ssh_mcp.policy.explanation import Asked, Decision, Explanation, Ground, Needs, Reason, Source, settings_in
from ssh_mcp.policy.forwards import permit as permit_target
from ssh_mcp.policy.forwards import require_dynamic
from ssh_mcp.policy.local_paths import LocalPolicy, check_argument
from ssh_mcp.policy.parameters import COMMANDS, ELSEWHERE, PATHS, SCRIPTS, TWO_PATHS, PathParameter
from ssh_mcp.policy.paths import Purpose, decide, decide_two, normalise_argument, redact_listed, restricted_by
from ssh_mcp.policy.permitted import PermittedCommand
from ssh_mcp.policy.switches import require_device, require_shells, require_sync_delete
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.shell.values import known

_READ, _WRITE, _STAT, _LIST = Purpose.READ_RAW, Purpose.WRITE, Purpose.STAT, Purpose.LIST


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
    if tool in COMMANDS:
        _command(account, account.argument(COMMANDS[tool]), permit)
    elif tool in SCRIPTS:
        _command(account, account.argument(SCRIPTS[tool]), permit_script)
    _paths(account)
    _local_path(account)
    if tool == "ssh_docker_run":
        _docker_run(account)
    if tool in _OTHERS:
        _OTHERS[tool](account)
    if tool in ELSEWHERE:
        account.unknown.append(ELSEWHERE[tool])
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


_Permitting = Callable[[str, CommandPolicy, Circumstances], PermittedCommand]


def _command(account: _Account, text: str, permitting: _Permitting) -> None:
    try:
        permitted = permitting(text, account.ground.policy.commands, account.ground.circumstances)
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
    two = TWO_PATHS.get(tool)
    hard = tool == "ssh_link" and account.asked.arguments.get("symbolic") is False
    if two is not None or hard:
        _two_paths(account, *(two or ("src", "dst")))
    if hard:  # who has the second name can write the first
        _one_path(account, PathParameter("src", _WRITE))
    for path in PATHS.get(tool, ()):
        _one_path(account, path)
    if tool == "ssh_docker_cp":
        out = account.asked.arguments.get("direction") == "from_container"
        _one_path(account, PathParameter("host_path", _WRITE if out else _READ))
    if tool.startswith("ssh_docker_compose_"):
        account.unknown.append("what the compose file mounts and reads: its content is decided when it was read")


def _one_path(account: _Account, path: PathParameter, host: HostPolicy | None = None) -> None:
    """Each path that the parameter holds; ``host``: the one where it is, if it is not the call's own."""
    policy = host or account.ground.policy
    values = account.asked.arguments.get(path.parameter)
    for given in values if isinstance(values, list | tuple) else (values,):
        if not isinstance(given, str):
            continue
        try:
            canonical = _canonical(account, given, policy)
            decide(canonical, policy.paths, purpose=path.purpose, reader=path.reader)
        except Refusal as refusal:
            _refused_path(account, policy, given, refusal)
            continue
        _permitted_path(account, policy, canonical)
        if path.purpose is _READ:
            account.unknown.append(f"whether the text of {canonical} holds secrets")
        if path.purpose in (_WRITE, Purpose.DELETE):
            _asks_for_write(account, policy, canonical, tree=path.tree)


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


# --- trees, shells, terminals, devices ------------------------------------------------------------------------------


def _sync(account: _Account) -> None:
    up = account.argument("direction") == "up"
    writes = account.ground.other or account.ground.policy
    if account.asked.arguments.get("delete") is True:
        try:
            require_sync_delete(writes)
        except Refusal as refusal:
            account.refuses("sync_delete", account.ground.source("sync_delete", ""), "delete", refusal)
    _one_path(account, PathParameter("remote_path", _WRITE, tree=True) if up else PathParameter("remote_path", _LIST))
    if account.ground.other is not None:
        _one_path(account, PathParameter("other_path", _WRITE, tree=True), account.ground.other)


def _local_path(account: _Account) -> None:
    given = account.asked.arguments.get("local_path")
    if not isinstance(given, str):
        return
    roots = tuple(map(PurePath, account.ground.local_roots))
    setting = "SSH_LOCAL_TRANSFER_ROOTS"
    try:
        check_argument(given, LocalPolicy(roots, never=(), own=(), max_bytes=0))
    except Refusal as refusal:
        account.refuses(setting, setting, given[:200], refusal)
    else:
        account.unknown.append(f"whether local_path lies in {setting}: links of the server's machine are followed")


def _archive(account: _Account) -> None:
    purposes = {"list": _STAT, "extract": _READ, "create": _WRITE}
    _one_path(account, PathParameter("archive", purposes[account.argument("action")]))
    _one_path(account, PathParameter("paths", _READ))
    _one_path(account, PathParameter("dest", _WRITE, tree=True))


def _shell_open(account: _Account) -> None:
    try:
        require_shells(account.ground.policy)
    except Refusal as refusal:
        account.refuses("persistent_session", account.ground.source("persistent_session", ""), "", refusal)


def _terminal(account: _Account) -> None:
    _command(account, account.argument("command"), permit_typed)


def _device(account: _Account) -> None:
    source = account.ground.source
    try:
        policy = require_device(account.ground.policy)
    except Refusal as refusal:
        account.refuses("platform", source("platform", ""), account.asked.tool, refusal)
        return
    lines = account.asked.arguments.get("commands" if account.asked.tool == "ssh_device_run" else "lines")
    for line in map(str, lines) if isinstance(lines, list | tuple) else ():
        try:
            permitted = permit_line(line, policy.allow, policy.definition)
        except Refusal as found:
            account.refuses("device_allow", source("device_allow", ""), line[:200], found)
        else:
            account.permits("device_allow", source("device_allow", ""), permitted.text[:200])


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
        _one_path(inner, PathParameter("source", _READ))
        account.reasons += inner.reasons
        account.unknown += inner.unknown


_OTHERS: Final[Mapping[str, Callable[[_Account], None]]] = {
    "ssh_archive": _archive,
    "ssh_device_configure": _device,
    "ssh_device_run": _device,
    "ssh_forward_open": _forward,
    "ssh_shell_open": _shell_open,
    "ssh_sync": _sync,
    "ssh_terminal_open": _terminal,
}
"""Tools whose rules are their own."""
