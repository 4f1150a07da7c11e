"""Services under OpenRC and runit, read-only and in systemd's words. Names come without ``.service``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.results.systemd import ActiveState, InitName
from ssh_mcp.tokens import Command, command

DENIED: Final = re.compile(r"unable to open supervise/\S+: access denied")
"""What sv(8) says of a service's supervise directory, which is root's alone."""


@dataclass(frozen=True, slots=True)
class Service:
    """``word`` is the init system's own for its state, ``active`` systemd's; ``detail`` says when it starts, or how it
    fares.
    """

    name: str
    word: str
    active: ActiveState
    enabled: bool
    detail: str = ""


Rows = tuple[Service, ...]

_OPENRC: Final = (
    "echo '== status'; rc-status --all --nocolor 2>/dev/null; echo '== runlevels'; rc-update -v show 2>/dev/null"
)
_RUNIT: Final = (
    'for d in "${SVDIR:-/etc/service}" /var/service /service; do [ ! -d "$d" ] || break; done; echo \'== status\'; '
    'for s in "$d"/*; do [ -d "$s" ] || continue; [ ! -e "$s/down" ]; printf \'%s %s \' "${s##*/}" $?; '
    "sv status \"$s\" 2>&1 | head -n 1; done; echo '== known'; ls /etc/sv 2>/dev/null"
)

_OPENRC_STATES: Final[Mapping[str, ActiveState]] = {
    "started": "active",
    "hotplugged": "active",
    "starting": "activating",
    "stopping": "deactivating",
    "stopped": "inactive",
    "inactive": "inactive",
    "scheduled": "inactive",
    "crashed": "failed",
    "failed": "failed",
}
"""The states of rc_service_state(3) and rc-status(8)."""
_RUNIT_STATES: Final[Mapping[str, ActiveState]] = {"run": "active", "down": "inactive", "finish": "deactivating"}
"""sv(8). A service that is down and wants up is being started again."""

_STATUS_ROW: Final = re.compile(r"\s+(\S+)\s+\[\s*([a-z]+)\b\s*(.*?)\s*\]$")
"""`` sshd      [  started  ]``, with ``started 00:12:33 (0)`` for a supervised one."""
_LEVEL_ROW: Final = re.compile(r"\s*(\S+)\s+\|\s*(.*?)\s*$")
"""``   sshd |      default``; nothing behind the bar: in no runlevel."""
_SV_ROW: Final = re.compile(r"(\S+) ([01]) (\w+): (\S+: )?(.*)$")
"""``sshd 0 run: /etc/service/sshd: (pid 28) 5s``; 1: the service has a file ``down`` and is not started at boot."""


def _openrc(output: str) -> Parsed[Rows]:
    status, _, levels = output.partition("== runlevels\n")
    problems = Problems("rc-status")
    words: dict[str, tuple[str, str]] = {}
    for line in status.splitlines():
        if match := _STATUS_ROW.match(line):
            words.setdefault(match[1], (match[2], match[3]))
    found = []
    for match in filter(None, map(_LEVEL_ROW.match, levels.splitlines())):
        name, runlevels = match[1], match[2]
        word, detail = words.pop(name, ("stopped", ""))
        in_levels = f"runlevels: {' '.join(runlevels.split())}" if runlevels else "in no runlevel"
        found.append(_row(name, word, _OPENRC_STATES, bool(runlevels), "; ".join(filter(None, (in_levels, detail)))))
    found += [_row(name, word, _OPENRC_STATES, False, detail) for name, (word, detail) in words.items()]
    if not found:
        problems.missing("no service could be read")
    return Parsed(tuple(sorted(found, key=lambda row: row.name)), problems.all())


def _runit(output: str) -> Parsed[Rows]:
    status, _, known = output.partition("== known\n")
    problems = Problems("sv")
    found: dict[str, Service] = {}
    for line in status.splitlines()[1:]:
        match = _SV_ROW.match(line)
        if match is None:
            problems.unread(line)
            continue
        name, down, word, detail = match[1], match[2] == "1", match[3], match[5].partition("; ")[0]
        row = _row(name, word, _RUNIT_STATES, not down, detail)
        found[name] = Service(name, word, "activating", not down, detail) if "want up" in detail else row
    for name in known.split():
        found.setdefault(name, Service(name, "down", "inactive", False, "not in the service directory"))
    return Parsed(tuple(found[name] for name in sorted(found)), problems.all())


def _row(name: str, word: str, states: Mapping[str, ActiveState], enabled: bool, detail: str) -> Service:
    return Service(name, word, states.get(word, "unknown"), enabled, detail)


@dataclass(frozen=True, slots=True)
class InitSystem:
    """One init system: what it is called, how it is asked, and which command changes a service of it."""

    name: InitName
    title: str
    question: str
    read: Callable[[str], Parsed[Rows]]
    status: str
    change: str

    def command(self) -> Command:
        return command(self.question)

    def parse(self, output: str) -> Parsed[Rows]:
        return self.read(output)


INIT_SYSTEMS: Final[Mapping[str, InitSystem]] = {
    "openrc": InitSystem("openrc", "OpenRC", _OPENRC, _openrc, "rc-service {name} status", "rc-service {name} start"),
    "runit": InitSystem("runit", "runit", _RUNIT, _runit, "sv status {name}", "sv up {name}"),
}
"""By the name that the host's capabilities give."""
