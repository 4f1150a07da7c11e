"""Facts about the machine itself: kernel, distribution, uptime, processor, name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssh_mcp.facts.base import Parsed, Problems, integer
from ssh_mcp.tokens import Command, command


def first_line(output: str) -> str | None:
    """The first line that holds anything, without surrounding blanks."""
    return next((line.strip() for line in output.splitlines() if line.strip()), None)


@dataclass(frozen=True, slots=True)
class Uname:
    """uname(1) -a as it is."""

    def command(self) -> Command:
        return command("uname -a")

    def parse(self, output: str) -> Parsed[str | None]:
        return Parsed(first_line(output))


_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z0-9_]*)=(.*)")
_SW_VERS = {"ProductName": "NAME", "ProductVersion": "VERSION_ID", "BuildVersion": "BUILD_ID"}


@dataclass(frozen=True, slots=True)
class OsRelease:
    """os-release(5); macOS, which has none, reports through sw_vers(1) in the same keys."""

    def command(self) -> Command:
        return command(
            # without a program: starting one takes the host longer than reading some 300 bytes
            "for f in /etc/os-release /usr/lib/os-release; do [ -r $f ] || continue; "
            'while IFS= read -r l || [ -n "$l" ]; do printf \'%s\\n\' "$l"; done <$f; exit; done; '
            "exec sw_vers 2>/dev/null"
        )

    def parse(self, output: str) -> Parsed[dict[str, str]]:
        values: dict[str, str] = {}
        problems = Problems("os-release")
        for raw in output.splitlines():
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            assignment = _ASSIGNMENT.fullmatch(line)
            label, colon, text = line.partition(":")
            if assignment:
                values[assignment[1]] = _unquoted(assignment[2])
            elif colon and label in _SW_VERS:
                values[_SW_VERS[label]] = text.strip()
            else:
                problems.unread(line)
        if values.get("NAME") in ("macOS", "Mac OS X") and "ID" not in values:
            values["ID"] = "macos"
            values["PRETTY_NAME"] = f"{values['NAME']} {values.get('VERSION_ID', '')}".strip()
        return Parsed(values, problems.all())


def _unquoted(text: str) -> str:
    """Shell-like quoting as os-release(5) allows it: one pair of quotes, backslash escapes inside double quotes."""
    value = text.strip()
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\([\\$\"`])", r"\1", value[1:-1])
    return value


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long the machine is up, and its load: /proc/uptime and /proc/loadavg (proc(5)), elsewhere uptime(1)."""

    def command(self) -> Command:
        return command(
            '{ read -r u </proc/uptime && echo "$u"; } 2>/dev/null || exec uptime 2>/dev/null; '
            '{ read -r l </proc/loadavg && echo "$l"; } 2>/dev/null; exit 0'
        )

    def parse(self, output: str) -> Parsed[str | None]:
        line = first_line(output)
        if line is None:
            return Parsed(None)
        seconds = _PROC_UPTIME.match(line)
        if seconds is None:
            return Parsed(line)
        load = _PROC_LOADAVG.search(output)
        words = _in_words(int(seconds[1]))
        return Parsed(f"{words}, load average: {', '.join(load.groups())}" if load else words)


_PROC_UPTIME = re.compile(r"(\d{1,12})\.\d+ \d+\.\d+$")
"""Seconds up and seconds idle, such as ``123456.78 234567.89``."""
_PROC_LOADAVG = re.compile(r"^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) \d+/\d+ \d+$", re.MULTILINE)
"""Over 1, 5 and 15 minutes, processes, the last id, such as ``0.52 0.58 0.59 1/389 12345``."""


def _in_words(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02}"
    return f"up {days} days, {clock}" if days else f"up {clock}"


@dataclass(frozen=True, slots=True)
class CpuModel:
    """The processor's name: /proc/cpuinfo, lscpu(1) (ARM), sysctl (macOS, BSD)."""

    def command(self) -> Command:
        return command(
            # the first processor's paragraph, without a program
            "{ while IFS= read -r l; do case $l in 'model name'*) echo \"$l\"; exit;; '') break;; esac; done "
            "</proc/cpuinfo; } 2>/dev/null;"
            " lscpu 2>/dev/null | grep -m 1 '^Model name'"
            " || grep -m 1 '^Model' /proc/cpuinfo 2>/dev/null"
            " || sysctl -n machdep.cpu.brand_string 2>/dev/null || sysctl -n hw.model 2>/dev/null"
        )

    def parse(self, output: str) -> Parsed[str | None]:
        line = first_line(output)
        if line is None:
            return Parsed(None)
        labelled = re.fullmatch(r"[Mm]odel(?: [Nn]ame)?\s*:\s*(.*)", line)
        return Parsed((labelled[1] if labelled else line) or None)


_ONLINE = re.compile(r"online ((?:\d{1,6}(?:-\d{1,6})?,?)+)")
"""The kernel's list of processors, such as ``online 0-3,6``."""


def _length(numbers: str) -> int:
    first, _, last = numbers.partition("-")
    return int(last or first) - int(first) + 1 if first else 0


@dataclass(frozen=True, slots=True)
class CpuCount:
    """Processors online: the kernel's list of them (``online 0-3,6``), elsewhere their number."""

    def command(self) -> Command:
        return command(
            '{ read -r l </sys/devices/system/cpu/online; } 2>/dev/null && echo "online $l"'
            " || getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null"
            " || grep -c '^processor' /proc/cpuinfo 2>/dev/null"
        )

    def parse(self, output: str) -> Parsed[int | None]:
        line = first_line(output)
        if line is None:
            return Parsed(None)
        online = _ONLINE.fullmatch(line)
        count = sum(map(_length, online[1].split(","))) if online else integer(line)
        if count is None or not 0 < count < 1_000_000:
            return Parsed(None, (f"cpu count: could not read {line[:80]!r}",))
        return Parsed(count)


@dataclass(frozen=True, slots=True)
class Fqdn:
    """The host's own idea of its full name. Asked last: resolvers may take seconds."""

    def command(self) -> Command:
        return command("timeout 3 hostname -f 2>/dev/null || hostname 2>/dev/null || uname -n")

    def parse(self, output: str) -> Parsed[str | None]:
        return Parsed(first_line(output))
