"""``ssh-mcp policy show``, ``explain`` and ``test``: what policy says, without connecting anywhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ssh_mcp.cli.policy_cases import Outcome, as_annotations, load_cases, run_case
from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.inventory.sources import LISTS, Sources
from ssh_mcp.policy.explanation import Explanation
from ssh_mcp.policy.tiers import enabled_groups, open_tiers
from ssh_mcp.settings.model import load_settings
from ssh_mcp.shell.starters import entry_warning
from ssh_mcp.tools.explaining import COMMAND_TOOL, Explainer, as_result

_Line = tuple[str, str, str, str]
"""Field, value, source, and a remark about the value."""

_FIELDS = {
    "path_allowlist": "allow",
    "restricted_paths": "restricted",
    "restricted_globs": "restricted_globs",
    "redact_paths_globs": "redact_globs",
}


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _explainer() -> Explainer:
    settings, _ = load_settings()
    inventory, _ = load_inventory(settings)
    return Explainer(inventory, settings)


# --- show -----------------------------------------------------------------------------------------------------------


def show(host: str, *, as_json: bool) -> int:
    """The merged policy of a host, each line with where it was written."""
    lines = list(_lines(_explainer(), host))
    console = _console()
    if as_json:
        console.print(json.dumps([{"field": f, "value": v, "source": s, "note": n} for f, v, s, n in lines], indent=2))
        return 0
    lines = list(_without_built_in(lines))
    wide = max(len(f"{field}  {value}") for field, value, _, _ in lines)
    for field, value, source, note in lines:
        console.print(f"{f'{field}  {value}'.ljust(min(wide, 72))}  {source}{f'  # {note}' if note else ''}".rstrip())
    return 0


def _without_built_in(lines: Iterable[_Line]) -> Iterator[_Line]:
    """The built-in patterns as one line: they would hide what the operator wrote."""
    built_in = 0
    for line in lines:
        if line[2] != "built in":
            yield line
        else:
            built_in += 1
    if built_in:
        yield "redact_paths_globs", f"{built_in} patterns", "built in", "--json lists them"


def _lines(explainer: Explainer, host: str) -> Iterator[_Line]:
    """The merged policy in the order in which it is read."""
    policy = explainer.inventory.resolve(host)
    settings = explainer.settings
    sources = Sources(explainer.inventory.document, settings, policy.alias)
    yield "tiers", ", ".join(open_tiers(settings)), "ALLOW_LOW_ACCESS_TOOLS, ALLOW_DANGEROUS_TOOLS, ALLOW_SUDO", ""
    yield "groups", ", ".join(enabled_groups(settings)), "SSH_ENABLED_GROUPS", ""
    for field in LISTS:
        entries = policy.commands.allow if field == "command_allowlist" else getattr(policy.paths, _FIELDS[field])
        if not entries:
            yield field, "(empty)", sources.of(field), _EMPTY.get(field, "")
        for entry in entries:
            note = entry_warning(entry) or "" if field == "command_allowlist" else ""
            yield field, entry, sources.of(field, entry), note
    for asked in policy.ask:
        yield "ask", asked.entry, asked.source, ""
    yield "redact_bypass_policy", policy.paths.bypass.value, "hosts.toml or SSH_REDACT_BYPASS_POLICY", ""
    for name in ("allow_any_command", "allow_docker_privileged", "ssh_exec_allow_cheatsheet_patterns"):
        yield name.upper(), str(getattr(settings, name)).lower(), "setting", ""


_EMPTY = {
    "path_allowlist": "no path may be touched",
    "command_allowlist": "no command may run, unless ALLOW_ANY_COMMAND is set",
}

# --- explain --------------------------------------------------------------------------------------------------------


def explain(host: str, command: tuple[str, ...], tool: str | None, arguments: str | None, *, as_json: bool) -> int:
    """The decision about one command, or about a tool with ``arguments`` (a JSON object)."""
    name, given = _asked(command, tool, arguments)
    found = _explainer().explain(host, name, given)
    console = _console()
    if as_json:
        console.print(json.dumps(as_result(host, name, found).model_dump(mode="json"), indent=2))
    else:
        _print(console, found)
    return 0


def _asked(command: tuple[str, ...], tool: str | None, arguments: str | None) -> tuple[str, dict[str, Any]]:
    if tool is None:
        if not command:
            raise InvalidArgument("There is no command to explain.", "Write it behind --, or name a tool with --tool.")
        return COMMAND_TOOL, {"command": command[0] if len(command) == 1 else shlex.join(command)}
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InvalidArgument("--arguments is no JSON object.", 'Write it like {"path": "/etc/hosts"}.')
    return tool, given


def _print(console: Console, found: Explanation) -> None:
    console.print(found.decision.value)
    for reason in found.reasons:
        console.print(f"  {reason.rule} ({reason.source}): {reason.part}")
        if reason.refusal:
            console.print(f"    {reason.refusal}")
    if found.needs.setting:
        console.print(f"  needs {found.needs.setting}")
    if found.needs.approval:
        console.print(f"  asks a person because of {found.needs.approval}")
    for unknown in found.unknown:
        console.print(f"  unknown: {unknown}")


# --- test -----------------------------------------------------------------------------------------------------------


def test(file: Path, *, as_json: bool) -> int:
    """Run the cases of ``file``. Exit status 1 where a decision differs from what a case expects."""
    explainer = _explainer()
    outcomes = [run_case(explainer, case) for case in load_cases(file)]
    failed = [o for o in outcomes if o.difference]
    console = _console()
    if as_json:
        report = {
            "passed": len(outcomes) - len(failed),
            "failed": len(failed),
            "annotations": [asdict(a) for a in as_annotations(file, failed)],
        }
        console.print(json.dumps(report, indent=2))
        return 1 if failed else 0
    for outcome in outcomes:
        _print_outcome(console, file, outcome)
    console.print(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _print_outcome(console: Console, file: Path, outcome: Outcome) -> None:
    case = outcome.case
    mark = "FAIL" if outcome.difference else "PASS"
    console.print(f"{mark} {case.host}: {case.title} -> {case.expect}{f' ({case.because})' if case.because else ''}")
    if outcome.difference:
        console.print(f"     {file}:{case.line}: {outcome.difference}")
        for reason in outcome.reasons:
            console.print(f"       {reason}")
