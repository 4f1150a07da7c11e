"""Facts about systemd units and the journal. Exit codes 3 and 4 of systemctl are data (systemctl(1), EXIT STATUS)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.facts.system import first_line
from ssh_mcp.results.systemd import ActiveState, EnabledState, SystemctlUnitEntry
from ssh_mcp.tokens import Command, arg, command

NO_SYSTEMD = re.compile(
    r"not been booted with systemd|Failed to connect to bus: (?:Host is down|No such file)"
    r"|(?:systemctl|journalctl): (?:command )?not found"
)
"""What systemctl (or the shell in its place) says where there is no systemd to talk to."""
MAY_NOT = re.compile(r"nteractive authentication required|Access denied|Permission denied|Authentication is required")
"""What systemctl says where the login may not change a unit, such as "Failed to enable unit: Access denied"."""
SEES_NOT_ALL = re.compile(r"not seeing messages from other users|insufficient permissions|No journal files were opened")
"""What journalctl and ``systemctl status`` say where the login may not read the system's journal."""

_NOTICE = re.compile(
    rb"^-- (?:No entries|Reboot|Boot [0-9a-f]{32}|(?:Logs begin|Journal begins) at [^\n]*) --\n", re.MULTILINE
)
"""What ``journalctl --quiet`` leaves out, such as "-- No entries --"."""


@dataclass(frozen=True, slots=True)
class UnitState:
    """``systemctl is-active``: one word."""

    unit: str

    def command(self) -> Command:
        return command("systemctl is-active --", arg(self.unit))

    def parse(self, output: str) -> Parsed[ActiveState]:
        word = first_line(output) or ""
        for state in get_args(ActiveState):
            if word == state:
                return Parsed(state)
        return Parsed("unknown", (f"is-active: could not read {word[:60]!r}",))


@dataclass(frozen=True, slots=True)
class UnitFileState:
    """``systemctl is-enabled``. Before v253 a missing unit has nothing on stdout and a complaint on stderr."""

    unit: str

    def command(self) -> Command:
        return command("systemctl is-enabled --", arg(self.unit), "2>&1")

    def parse(self, output: str) -> Parsed[EnabledState]:
        word = (output.strip().splitlines() or [""])[-1].strip()
        for state in get_args(EnabledState):
            if word == state:
                return Parsed(state)
        if "No such file" in word or "does not exist" in word:
            return Parsed("not-found")
        return Parsed("unknown", (f"is-enabled: could not read {word[:60]!r}",))


@dataclass(frozen=True, slots=True)
class UnitFailure:
    """``systemctl is-failed``: the active state; ``failed`` is the one that counts."""

    unit: str

    def command(self) -> Command:
        return command("systemctl is-failed --", arg(self.unit))

    def parse(self, output: str) -> Parsed[str]:
        word = first_line(output)
        return Parsed(word) if word else Parsed("unknown", ("is-failed: no output",))


@dataclass(frozen=True, slots=True)
class UnitProperties:
    """``systemctl show``; ``properties`` empty asks for all."""

    unit: str
    properties: tuple[str, ...] = ()

    def command(self) -> Command:
        wanted = [arg(f"--property={name}") for name in self.properties]
        return command("systemctl show --no-pager", *wanted, "--", arg(self.unit))

    def parse(self, output: str) -> Parsed[dict[str, str]]:
        found: dict[str, str] = {}
        problems = Problems("systemctl show")
        last: str | None = None
        for line in output.splitlines():
            match = re.match(r"([A-Z][A-Za-z0-9]*)=(.*)", line)
            if match:
                last = match[1]
                found[last] = f"{found[last]}\n{match[2]}" if last in found else match[2]
            elif last is not None:
                found[last] += f"\n{line}"
            elif line.strip():
                problems.unread(line)
        return Parsed(found, problems.all())


@dataclass(frozen=True, slots=True)
class UnitList:
    """``systemctl list-units``. With a pattern or a state inactive units count too, since they were asked for."""

    pattern: str | None = None
    state: str | None = None
    unit_type: str = "service"

    def command(self) -> Command:
        return command(
            "systemctl list-units --no-pager --no-legend --plain --full", arg(f"--type={self.unit_type}"),
            *((arg(f"--state={self.state}"),) if self.state else ()),
            *(("--all",) if self.pattern or self.state else ()),
            *(("--", arg(self.pattern)) if self.pattern else ()),
        )  # fmt: skip

    def parse(self, output: str) -> Parsed[tuple[SystemctlUnitEntry, ...]]:
        problems = Problems("list-units")
        found: list[SystemctlUnitEntry] = []
        for line in output.splitlines():
            words = line.lstrip("\u25cf\u25cb*\u00d7\u21bb \t").split(None, 4)
            if len(words) >= 4 and "." in words[0]:
                description = words[4].rstrip() if len(words) == 5 else ""
                found.append(
                    SystemctlUnitEntry(
                        unit=words[0], load=words[1], active=words[2], sub=words[3], description=description
                    )
                )
            elif line.strip():
                problems.unread(line)
        return Parsed(tuple(found), problems.all())


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """``systemctl status``: the text; ``parse`` gives the active state in it."""

    unit: str
    lines: int = 20

    def command(self) -> Command:
        return command(f"systemctl status --no-pager --full --lines={self.lines} --", arg(self.unit))

    def parse(self, output: str) -> Parsed[str | None]:
        match = re.search(r"^\s+Active: ([a-z-]+)", output, re.MULTILINE)
        return Parsed(match[1] if match else None)


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """``systemctl cat``: unit file and drop-ins, each under a comment with its path."""

    unit: str

    def command(self) -> Command:
        return command("systemctl cat --no-pager --", arg(self.unit))

    def parse(self, output: str) -> Parsed[str]:
        return Parsed(output)


@dataclass(frozen=True, slots=True)
class Journal:
    """``journalctl``: the last ``lines`` of a unit, oldest first. Times are words of systemd.time(7)."""

    unit: str
    since: str | None = None
    until: str | None = None
    lines: int = 200
    grep: str | None = None

    def command(self) -> Command:
        options = (("--since", self.since), ("--until", self.until), ("--grep", self.grep))
        return command(
            # not --quiet: it also hides that the login may not read the system's journal; --all: messages that are not
            # UTF-8 or hold "\\r" would come as "[39B blob data]"
            f"journalctl --no-pager --all --output=short-iso --lines={self.lines}", arg(f"--unit={self.unit}"),
            *(arg(f"{name}={value}") for name, value in options if value is not None),
        )  # fmt: skip

    def parse(self, output: str) -> Parsed[int]:
        """How many lines there are."""
        return Parsed(len(output.splitlines()))

    @staticmethod
    def without_notices(output: bytes) -> bytes:
        """``output`` without the lines that are journalctl's own: those of units begin with a time."""
        return _NOTICE.sub(b"", output)


def unit_action(action: str, unit: str) -> Command:
    """``systemctl ACTION``: never asks for a password, never waits on a terminal."""
    return command("systemctl --no-ask-password --no-pager", arg(action), "--", arg(unit))
