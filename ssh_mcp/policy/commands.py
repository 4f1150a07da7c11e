"""Whether a command of the exec tier may run. Pure: text in, decision out.

Three questions, in this order: may every program in it run (the allowlist), does it name a file that holds secrets
(redact-listed paths), does a dedicated tool do its whole job (the cheatsheet).
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument
from ssh_mcp.inventory.model import BypassPolicy, CommandPolicy
from ssh_mcp.policy import globs
from ssh_mcp.policy.allowlist import Allowlist
from ssh_mcp.policy.permitted import PermittedCommand
from ssh_mcp.policy.permitted_path import POLICY
from ssh_mcp.shell import cheatsheet
from ssh_mcp.shell.invocation import Everything, Invocation
from ssh_mcp.shell.options import Denied
from ssh_mcp.shell.parse import MAX_BYTES
from ssh_mcp.shell.reader import CommandReader
from ssh_mcp.shell.scripts import interpreter, is_plain_shell
from ssh_mcp.shell.values import known

_SHOWN = 12
_UNSAFE = re.compile(r"[^\x20-\x7e\xa1-\uffff]")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where a command would run, as far as the decision depends on it.

    ``redact_globs`` are added to the policy's own, and ``bypass`` says what becomes of a command that names one of
    them. ``default_dir`` (or the shell session's current directory) is what relative paths are
    joined to. ``sudo``: the whole command will run under sudo; ``container``: it runs inside of one; ``host`` is put
    into the suggested tool calls. ``elevated``: the unit, package and journal tools use sudo by themselves, and
    ``closed`` are the tools that must not be suggested.
    """

    redact_globs: tuple[str, ...] = ()
    bypass: BypassPolicy = BypassPolicy.BLOCK
    default_dir: str | None = None
    sudo: bool = False
    container: bool = False
    host: str = ""
    elevated: bool = False
    closed: Container[str] = frozenset()


def permit(command: str, policy: CommandPolicy, where: Circumstances = Circumstances()) -> PermittedCommand:
    """Decide about ``command``, text for a POSIX ``sh`` on the host.

    Raises InvalidArgument (empty, NUL, too long), CommandNotAllowed, CommandIsCheatsheetMatch, RedactBypassBlocked.
    """
    _check_shape(command)
    started, files = _started(command, policy)
    path = cheatsheet.check(command, _context(policy, where))
    return _permitted(command, started, files, path, where)


def permit_script(body: str, policy: CommandPolicy, where: Circumstances = Circumstances()) -> PermittedCommand:
    """Decide about a script. One in sh is decided like a command.

    Another interpreter must be allowed itself, and beside it ALLOW_ANY_COMMAND or ``"*"``: what such a script starts
    cannot be read from its text. Raises as ``permit``.
    """
    words = interpreter(body)
    if is_plain_shell(words):
        started, files = _started(body, policy)
    else:
        _permit_interpreter(words, policy)
        started, files = (Invocation(words[0], (*words[1:], None)),), ()
    path = cheatsheet.check_paths(body, _context(policy, where))
    return _permitted(body, started, files, path, where)


def permit_typed(text: str, policy: CommandPolicy, where: Circumstances = Circumstances()) -> PermittedCommand:
    """Decide about text for a terminal, where a program that no text shows may take it.

    Raises CommandNotAllowed where not every command may run, InvalidArgument (NUL, too long), RedactBypassBlocked and
    CommandIsCheatsheetMatch where it names a redact-listed path.
    """
    if not _anything(policy):
        raise CommandNotAllowed(
            "A terminal takes whatever is typed into it, and this host permits only listed programs.",
            'Use ssh_exec_run, or ask the operator for command_allowlist = ["*"] or ALLOW_ANY_COMMAND=true.',
        )
    if text.strip():
        _check_shape(text)
    path = cheatsheet.check_paths(text, _context(policy, where))
    return _permitted(text, None, (), path, where)


def _context(policy: CommandPolicy, where: Circumstances) -> cheatsheet.Context:
    listed = tuple(dict.fromkeys((*policy.redact_globs, *where.redact_globs)))
    return cheatsheet.Context(
        globs=listed,
        matches=globs.matcher(listed),
        default_dir=where.default_dir,
        sudo=where.sudo,
        host=where.host,
        patterns=policy.cheatsheet,
        delivers=where.bypass is not BypassPolicy.BLOCK,
        container=where.container,
        elevated=where.elevated,
        closed=where.closed,
    )


def _permitted(
    text: str,
    started: tuple[Invocation, ...] | None,
    files: tuple[str | None, ...],
    path: str | None,
    where: Circumstances,
) -> PermittedCommand:
    """``path`` is a redact-listed one that may be named."""
    return PermittedCommand(
        maker=POLICY,
        text=text,
        invocations=started,
        files=files,
        default_dir=where.default_dir,
        warnings=(_delivered(path),) if path is not None and where.bypass is BypassPolicy.WARN else (),
        redact_bypass=path is not None,
    )


def _delivered(path: str) -> str:
    return f"The command names {json.dumps(path[:200])}, which is redact-listed; ssh_read_redacted masks its secrets."


def _permit_interpreter(words: tuple[str, ...], policy: CommandPolicy) -> None:
    name = words[0]
    allowed = _anything(policy) or Allowlist.of(policy.allow).permits(name, [known(w) for w in words[1:]])
    if not (allowed and ("*" in policy.allow or policy.allow_any)):
        raise CommandNotAllowed(
            f"What a script for {_UNSAFE.sub('?', name)[:60]} starts cannot be read from its text.",
            "Write it in sh, whose programs are compared with command_allowlist, or ask the operator to allow the "
            'interpreter together with ALLOW_ANY_COMMAND or "*".',
        )


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


def _started(command: str, policy: CommandPolicy) -> tuple[tuple[Invocation, ...] | None, tuple[str | None, ...]]:
    """What the command starts, and the files that its redirections write. Raises CommandNotAllowed."""
    if _anything(policy):
        return _read(command)
    if not policy.allow:
        raise CommandNotAllowed(
            "This host has no command allowlist, so no command may run on it.",
            "Use a dedicated tool, or ask the operator for command_allowlist (or ALLOW_ANY_COMMAND=true).",
        )
    found: list[Invocation] = []
    try:
        CommandReader(command, Allowlist.of(policy.allow), found).run_script()
    except Denied as denied:
        raise CommandNotAllowed(_sentence(denied), _remedy(denied, policy)) from None
    except RecursionError:
        raise CommandNotAllowed("The command is nested too deep to be read.", "Simplify it.") from None
    return tuple(found), ()


def _read(command: str) -> tuple[tuple[Invocation, ...] | None, tuple[str | None, ...]]:
    """As far as it can be read, where the policy permits anything: for the ask rules. None: it cannot."""
    found: list[Invocation] = []
    targets: list[str | None] = []
    try:
        CommandReader(command, Everything(), found, targets=targets).run_script()
    except (Denied, RecursionError):
        return None, ()
    return tuple(found), tuple(targets)


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
