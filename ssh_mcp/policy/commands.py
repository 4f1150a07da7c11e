"""Whether a command of the exec tier may run (BEHAVIOUR section 8). Pure: text in, decision out.

Three questions, in this order: may every program in it run (the allowlist), does it name a file that holds secrets
(redact-listed paths), does a dedicated tool do its whole job (the cheatsheet).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument
from ssh_mcp.inventory.model import BypassPolicy, CommandPolicy
from ssh_mcp.policy import globs
from ssh_mcp.shell import cheatsheet
from ssh_mcp.shell.judge import Judge
from ssh_mcp.shell.options import Denied
from ssh_mcp.shell.parse import BASH_ONLY, MAX_BYTES, RESERVED
from ssh_mcp.shell.refused import REFUSED

_ENTRY = re.compile(r"[A-Za-z0-9_.+:@,\[-][A-Za-z0-9_.+:@,\[\]-]*\Z")
_SHOWN = 12
_UNSAFE = re.compile(r"[^\x20-\x7e\xa1-\uffff]")


@dataclass(frozen=True, slots=True)
class Judged:
    """``programs``: every program that the command starts, as written, in reading order.

    ``redact_bypass``: it names a redact-listed path, which goes into the audit line; ``warnings`` into output_warnings.
    """

    programs: tuple[str, ...]
    redact_bypass: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Allowlist:
    bare: frozenset[str]
    absolute: frozenset[str]

    @classmethod
    def of(cls, entries: tuple[str, ...]) -> _Allowlist:
        return cls(frozenset(e for e in entries if "/" not in e), frozenset(e for e in entries if e.startswith("/")))

    def allows(self, name: str) -> bool:
        """A bare entry stands for the name and any absolute path to it, an absolute one for itself only."""
        if "/" not in name:
            return name in self.bare
        return name in self.absolute or (name.startswith("/") and name.rpartition("/")[2] in self.bare)


def judge(
    command: str,
    policy: CommandPolicy,
    *,
    redact_globs: tuple[str, ...] = (),
    bypass: BypassPolicy = BypassPolicy.BLOCK,
    default_dir: str | None = None,
    sudo: bool = False,
    container: bool = False,
    host: str = "",
) -> Judged:
    """Decide about ``command`` (text for a POSIX ``sh`` on the host).

    ``redact_globs`` are added to the policy's own, and ``bypass`` says what becomes of a command that names one of
    them (BEHAVIOUR section 5); ``default_dir`` (or the shell session's current directory) is what
    relative paths are joined to. ``sudo`` says that the whole command will run under sudo, ``container`` that it runs
    inside of one; ``host`` is put into the suggested tool calls.

    Raises InvalidArgument (empty, NUL, too long), CommandNotAllowed, CommandIsCheatsheetMatch, RedactBypassBlocked.
    """
    _check_shape(command)
    anything = _anything(policy)
    found: list[str] = []
    if not anything:
        _judge_programs(command, policy, found)
    listed = tuple(dict.fromkeys((*policy.redact_globs, *redact_globs)))
    delivers = bypass is not BypassPolicy.BLOCK
    context = cheatsheet.Context(
        listed, globs.matcher(listed), default_dir, sudo, host, policy.cheatsheet, delivers, container
    )
    path = cheatsheet.check(command, context)
    return _judged(tuple(found) if not anything else cheatsheet.programs(command), path, bypass)


def _judged(programs: tuple[str, ...], path: str | None, bypass: BypassPolicy) -> Judged:
    """``path`` is a redact-listed one that may be named."""
    warnings = (_delivered(path),) if path is not None and bypass is BypassPolicy.WARN else ()
    return Judged(programs, redact_bypass=path is not None, warnings=warnings)


def _delivered(path: str) -> str:
    return f"The command names {json.dumps(path[:200])}, which is redact-listed; ssh_read_redacted masks its secrets."


def judge_script(
    policy: CommandPolicy,
    script: str = "",
    *,
    redact_globs: tuple[str, ...] = (),
    bypass: BypassPolicy = BypassPolicy.BLOCK,
    default_dir: str | None = None,
    sudo: bool = False,
    host: str = "",
) -> Judged:
    """Scripts are not judged program by program: they need ``"*"``, or ALLOW_ANY_COMMAND with no allowlist.

    What they name of redact-listed files is looked for as in a command, whatever language they are in: a command that
    was refused would else be the next script. Raises CommandNotAllowed, CommandIsCheatsheetMatch, RedactBypassBlocked.
    """
    if not _anything(policy):
        raise CommandNotAllowed(
            "Scripts are not judged program by program, and this host has a command allowlist or none at all.",
            'Run the commands one by one, or ask the operator for ALLOW_ANY_COMMAND or "*" in command_allowlist.',
        )
    listed = tuple(dict.fromkeys((*policy.redact_globs, *redact_globs)))
    context = cheatsheet.Context(
        listed, globs.matcher(listed), default_dir, sudo, host, policy.cheatsheet, bypass is not BypassPolicy.BLOCK
    )
    return _judged((), cheatsheet.check_paths(script, context), bypass)


def check_allow_entry(entry: str) -> str | None:
    """What is wrong with one entry of command_allowlist or SSH_COMMAND_ALLOWLIST, as one clause; None if it is fine."""
    if entry == "*":
        return None
    if not entry or entry != entry.strip():
        return "is empty or has blanks around it"
    if any(c.isspace() for c in entry):
        return "holds a blank: an entry names a program, its arguments cannot be listed"
    if "/" in entry and not entry.startswith("/"):
        return "is a relative path: write the bare name or the absolute path"
    base = entry.rpartition("/")[2]
    if not _ENTRY.match(base) or not re.fullmatch(r"[A-Za-z0-9_./+:@,\[\]-]+", entry):
        return 'is not the name of a program (patterns are not understood, only "*" for everything)'
    if base in REFUSED or base in RESERVED or base in BASH_ONLY - {"time"}:
        return "can never be allowed: what it starts cannot be decided from the text of a command"
    return None


def _check_shape(command: str) -> None:
    if not command.strip():
        raise InvalidArgument("The command is empty.", "Give a command line for the host's shell.")
    if "\0" in command:
        raise InvalidArgument("The command holds a NUL character.", "Remove it; no shell can read past it.")
    if len(command) > MAX_BYTES or len(command.encode("utf-8", "surrogateescape")) > MAX_BYTES:
        raise InvalidArgument(
            f"The command is longer than {MAX_BYTES} bytes.", "Upload the data with ssh_upload and run a short command."
        )


def _anything(policy: CommandPolicy) -> bool:
    """ALLOW_ANY_COMMAND only means something where there is no allowlist."""
    return "*" in policy.allow or (policy.allow_any and not policy.allow)


def _judge_programs(command: str, policy: CommandPolicy, found: list[str]) -> None:
    if not policy.allow:
        raise CommandNotAllowed(
            "This host has no command allowlist, so no command may run on it.",
            "Use a dedicated tool, or ask the operator for command_allowlist (or ALLOW_ANY_COMMAND=true).",
        )
    try:
        Judge(command, _Allowlist.of(policy.allow).allows, found).run_script()
    except Denied as denied:
        raise CommandNotAllowed(_sentence(denied), _remedy(denied, policy)) from None
    except RecursionError:
        raise CommandNotAllowed("The command is nested too deep to be judged.", "Write it flatter.") from None


def _sentence(denied: Denied) -> str:
    what = denied.what[0].upper() + denied.what[1:]
    part = _UNSAFE.sub("?", denied.part.strip())[:60]
    return f"{what}, at: {part}." if part and f"`{part}`" not in denied.what else f"{what}."


def _remedy(denied: Denied, policy: CommandPolicy) -> str:
    if denied.remedy:
        return f"{denied.remedy[0].upper()}{denied.remedy[1:]}."
    names = sorted(policy.allow)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Only these programs may run here: {', '.join(names[:_SHOWN])}{more}."
