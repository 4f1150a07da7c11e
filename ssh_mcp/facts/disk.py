"""Filesystems and their use: df(1) in POSIX form, with types where the system reports them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.tokens import Command, command

TYPES_MARK = "== mount"
_ROW = re.compile(r"^(.+?)\s+(\d+|-)\s+(-?\d+|-)\s+(-?\d+|-)\s+(\d+%|-)\s+(/.*|-)$")
_TYPED = re.compile(r"^(.+?)\s+([A-Za-z][\w.+-]*|-)$")
_MOUNTED_LINUX = re.compile(r"^.+? on (.+) type (\S+)(?: \(.*\))?$")
_MOUNTED_BSD = re.compile(r"^.+? on (.+) \(([^,)]+)[^)]*\)$")


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One line of df. Sizes are bytes; ``use_percent`` is df's own figure, None where it shows ``-``."""

    source: str
    type: str
    size: int
    used: int
    available: int
    use_percent: int | None
    mount: str


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """``df -PkT`` (GNU, BusyBox, FreeBSD), else ``df -Pk`` (macOS, OpenBSD) with mount(8) for the types.

    In that order of letters: macOS reads what follows ``-T`` as a list of types, and so rejects ``-PkT`` cleanly.
    """

    def command(self) -> Command:
        return command(
            "t=$(df -PkT 2>/dev/null);"
            ' if [ -n "$t" ]; then printf \'%s\\n\' "$t";'
            f" else df -Pk; printf '%s\\n' '{TYPES_MARK}'; mount; fi"
        )

    def parse(self, output: str) -> Parsed[tuple[Filesystem, ...]]:
        table, _, mounts = output.partition(f"{TYPES_MARK}\n")
        types = _types(mounts)
        problems = Problems("df")
        lines = table.splitlines()
        header = next((i for i, line in enumerate(lines) if line.startswith("Filesystem")), None)
        if header is None:
            if table.strip():
                problems.unread(table.strip().splitlines()[0])
            return Parsed((), problems.all())
        typed = " Type " in f"{lines[header]} "
        unit = 512 if "512-blocks" in lines[header] else 1024
        rows: list[Filesystem] = []
        for line in lines[header + 1 :]:
            row = _row(line, typed=typed, unit=unit, types=types)
            if row is not None:
                rows.append(row)
            elif line.strip():
                problems.unread(line)
        return Parsed(tuple(rows), problems.all())


def _row(line: str, *, typed: bool, unit: int, types: dict[str, str]) -> Filesystem | None:
    match = _ROW.match(line)
    if match is None:
        return None
    source, size, used, available, percent, mount = match.groups()
    kind = types.get(mount, "")
    if typed:
        both = _TYPED.match(source)
        if both is None:
            return None
        source, kind = both.groups()
    return Filesystem(
        source=source,
        type=kind,
        size=_blocks(size) * unit,
        used=_blocks(used) * unit,
        available=_blocks(available) * unit,
        use_percent=None if percent == "-" else int(percent[:-1][:9]),
        mount=mount,
    )


def _blocks(text: str) -> int:
    return 0 if text == "-" else int(text[:24])


def _types(mounts: str) -> dict[str, str]:
    """Mount point to type: ``on / type ext4 (…)`` (Linux, OpenBSD) and ``on / (apfs, …)`` (macOS, FreeBSD)."""
    found: dict[str, str] = {}
    for line in mounts.splitlines():
        match = _MOUNTED_LINUX.match(line) or _MOUNTED_BSD.match(line)
        if match:
            found[match[1]] = match[2]
    return found


def human(size: int) -> str:
    """Bytes as ``df -h`` writes them: powers of 1024, one digit below ten, rounded up."""
    if size < 1024:
        return str(max(size, 0))
    value = size
    unit = 1
    for letter in "KMGTPEZY":
        unit *= 1024
        value = size
        if value < unit * 1024 or letter == "Y":
            tenths = -(-value * 10 // unit)
            if tenths < 100:
                return f"{tenths // 10}.{tenths % 10}{letter}"
            whole = -(-value // unit)
            if whole < 1024 or letter == "Y":
                return f"{whole}{letter}"
    return str(size)
