"""The process table, with processor and memory shares on every system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ssh_mcp.facts.base import Parsed, Problems, integer, number
from ssh_mcp.tokens import Command, command

PROC_MARK = "== proc"
MAX_LINE = 1024
"""Bytes of a line that are kept: some programs have argument lists of a megabyte."""


@dataclass(frozen=True, slots=True)
class Process:
    """``cpu_percent`` is processor time over lifetime (as ps has it), ``memory_percent`` resident over total."""

    pid: int
    parent: int
    user: str
    cpu_percent: float
    memory_percent: float
    command: str


@dataclass(frozen=True, slots=True)
class Processes:
    """POSIX ps with the shares that GNU, BSD and macOS add; BusyBox has no shares, so /proc gives them.

    The first line names the asking shell and its parent (the command frame): they and what they started are left
    out.
    """

    def command(self) -> Command:
        return command(
            # procps cuts user names at eight characters unless given a width; BSD calls a width an unknown column
            "echo self $$ $PPID; u=user; ps -p $$ -o user:32= >/dev/null 2>&1 && u=user:32;"
            ' t=$(ps -A -o pid= -o ppid= -o "$u=" -o pcpu= -o pmem= -o args= 2>/dev/null'
            f" | cut -c 1-{MAX_LINE});"
            ' if [ -n "$t" ]; then printf \'%s\\n\' "$t";'
            f" else ps -o pid,ppid,user,args | cut -c 1-{MAX_LINE}; printf '%s\\n' '{PROC_MARK}';"
            " cat /proc/uptime; grep MemTotal /proc/meminfo; cat /proc/[0-9]*/stat 2>/dev/null; fi"
        )

    def parse(self, output: str) -> Parsed[tuple[Process, ...]]:
        problems = Problems("ps")
        table, mark, proc = output.partition(f"{PROC_MARK}\n")
        lines = table.splitlines()
        own = _own_pids(lines)
        if mark:
            shares, width = _shares(proc), _user_width(lines)
            rows = [_bare(line, width, shares, problems) for line in lines if not line.startswith("self ")]
        else:
            rows = [_full(line, problems) for line in lines if not line.startswith("self ")]
        kept = _without_family([r for r in rows if r is not None], own)
        kept.sort(key=lambda p: (-p.cpu_percent, -p.memory_percent, p.pid))
        if not kept:
            problems.missing("no process could be read")
        return Parsed(tuple(kept), problems.all())


def _own_pids(lines: list[str]) -> set[int]:
    first = lines[0].split() if lines else []
    pids = {integer(word) for word in first[1:]} if first[:1] == ["self"] else set()
    return {pid for pid in pids if pid is not None and pid > 1}


_ROW: Final = re.compile(
    r"\s*(\d{1,10})\s+(\d{1,10})\s+(\S(?:.*?\S)??)\s+(\d{1,9}(?:[.,]\d+)?)\s+(\d{1,9}(?:[.,]\d+)?)(?:\s+(.*))?$"
)
"""pid, ppid, user, pcpu, pmem, args. A domain's account may hold blanks: ``  7 1 CORP\\john doe 0.3 1.2 sleep 60``."""


def _full(line: str, problems: Problems) -> Process | None:
    if not line.strip():
        return None
    match = _ROW.match(line)
    cpu, memory = (number(match[4]), number(match[5])) if match is not None else (None, None)
    if match is None or cpu is None or memory is None:
        problems.unread(line)
        return None
    return Process(int(match[1]), int(match[2]), match[3], cpu, memory, (match[6] or "").rstrip())


_HEADER: Final = re.compile(r"PID +PPID +(USER +)COMMAND$")
_BARE: Final = re.compile(rb"\s*(\d{1,10})\s+(\d{1,10}) (.*)$", re.DOTALL)
"""pid and ppid, which may be wider than their columns, and what follows them: ``  71     1 CORP\\jo  sleep 60``."""


def _user_width(lines: list[str]) -> int:
    """Bytes of BusyBox's column for the user, the blank behind it included. It cuts longer names."""
    return next((len(match[1]) for match in map(_HEADER.match, lines[:3]) if match is not None), 9)


def _bare(line: str, width: int, shares: dict[int, tuple[float, float]], problems: Problems) -> Process | None:
    match = _BARE.match(line.encode())
    if match is None:
        if line.strip() and not line.lstrip().startswith("PID"):
            problems.unread(line)
        return None
    pid, parent = int(match[1]), int(match[2])
    user, args = match[3][:width], match[3][width:]
    if not user.endswith(b" ") and b" " in match[3]:  # a version that does not cut names
        user, _, args = match[3].partition(b" ")
    cpu, memory = shares.get(pid, (0.0, 0.0))
    return Process(
        pid, parent, user.decode("utf-8", "replace").strip(), cpu, memory, args.decode("utf-8", "replace").strip()
    )


_TICKS = 100
"""Clock ticks per second in /proc/PID/stat: fixed by the kernel's interface on every architecture in use."""

_PAGE = 4096
"""BusyBox has no getconf; machines with larger pages get memory shares that are too small by that factor."""

_STAT = re.compile(r"^(\d{1,10}) \(.*\) \S (.*)$")


def _shares(proc: str) -> dict[int, tuple[float, float]]:
    """proc(5): fields 14 and 15 are processor time, 22 the start, 24 resident pages."""
    uptime = re.search(r"^(\d{1,12}\.\d+) \d", proc, re.MULTILINE)
    total = re.search(r"^MemTotal:\s+(\d{1,15}) kB", proc, re.MULTILINE)
    if uptime is None or total is None:
        return {}
    now, memory = float(uptime[1]), int(total[1]) * 1024
    found: dict[int, tuple[float, float]] = {}
    for line in proc.splitlines():
        match = _STAT.match(line)
        fields = match[2].split() if match else []
        if match is None or len(fields) < 21 or not all(len(f) < 21 and f.lstrip("-").isdigit() for f in fields[:21]):
            continue
        used = (int(fields[10]) + int(fields[11])) / _TICKS
        alive = now - int(fields[18]) / _TICKS
        cpu = 100 * used / alive if alive > 0 else 0.0
        found[int(match[1])] = (round(cpu, 1), round(100 * int(fields[20]) * _PAGE / memory, 2) if memory else 0.0)
    return found


def _without_family(rows: list[Process], own: set[int]) -> list[Process]:
    """Without the asking shell and what it started: a ps that looks at itself always seems busy."""
    family = set(own)
    grown = bool(own)
    while grown:
        more = {r.pid for r in rows if r.parent in family} - family
        family |= more
        grown = bool(more)
    return [r for r in rows if r.pid not in family]
