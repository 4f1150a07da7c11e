"""Load and memory: what ssh_host_alerts watches besides disks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssh_mcp.facts.base import Parsed, Problems, number
from ssh_mcp.tokens import Command, command


@dataclass(frozen=True, slots=True)
class LoadAverage:
    """The one-minute load: /proc/loadavg, else sysctl, else the end of uptime(1)'s line."""

    def command(self) -> Command:
        return command("cat /proc/loadavg 2>/dev/null || sysctl -n vm.loadavg 2>/dev/null || uptime")

    def parse(self, output: str) -> Parsed[float | None]:
        text = output.strip()
        after = re.search(r"load averages?:(.*)", text)
        candidates = (after[1] if after else text).strip("{} \t").replace(", ", " ").split()
        value = number(candidates[0]) if candidates else None
        if value is None or value < 0:
            return Parsed(None, (f"load: could not read {text[:80]!r}",))
        return Parsed(value)


@dataclass(frozen=True, slots=True)
class MemoryStatus:
    """Bytes. ``available`` is what a new program could get without swapping."""

    total: int
    available: int

    @property
    def free_percent(self) -> float:
        return round(100 * self.available / self.total, 1)


_SYSCTLS = "hw.memsize hw.physmem hw.pagesize vm.stats.vm.v_free_count vm.stats.vm.v_inactive_count vm.uvmexp"
_VM_STAT_FREE = ("Pages free", "Pages inactive", "Pages speculative")


@dataclass(frozen=True, slots=True)
class Memory:
    """/proc/meminfo; else sysctl with vm_stat(1) (macOS) or the vm.stats counters (FreeBSD)."""

    def command(self) -> Command:
        return command(
            "cat /proc/meminfo 2>/dev/null"
            f" || {{ for k in {_SYSCTLS}; do sysctl $k 2>/dev/null; done; vm_stat 2>/dev/null; }}"
        )

    def parse(self, output: str) -> Parsed[MemoryStatus | None]:
        problems = Problems("memory")
        if not output.strip():
            problems.missing("the host reported nothing")
            return Parsed(None, problems.all())
        values = _values(output)
        status = _linux(values) or _macos(values, output) or _freebsd(values)
        if status is None:
            problems.unread(output.strip().splitlines()[0])
        return Parsed(status, problems.all())


def _values(output: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in output.splitlines():
        match = re.match(r'^"?([\w.()\- ]+?)"?\s*[:=]\s*(\d{1,20})\b', line)
        if match:
            found[match[1]] = int(match[2])
    return found


def _linux(values: dict[str, int]) -> MemoryStatus | None:
    total = values.get("MemTotal")
    if not total:
        return None
    # kernels before 3.14 have no MemAvailable
    available = values.get("MemAvailable", sum(values.get(k, 0) for k in ("MemFree", "Buffers", "Cached")))
    return MemoryStatus(total * 1024, min(available, total) * 1024)


def _macos(values: dict[str, int], output: str) -> MemoryStatus | None:
    total = values.get("hw.memsize")
    if not total or "Pages free" not in values:
        return None
    page = re.search(r"page size of (\d{1,9}) bytes", output)
    size = int(page[1]) if page else values.get("hw.pagesize", 4096)
    return MemoryStatus(total, min(sum(values.get(k, 0) for k in _VM_STAT_FREE) * size, total))


def _freebsd(values: dict[str, int]) -> MemoryStatus | None:
    total = values.get("hw.physmem")
    free = values.get("vm.stats.vm.v_free_count")
    if not total or free is None:
        return None
    pages = free + values.get("vm.stats.vm.v_inactive_count", 0)
    return MemoryStatus(total, min(pages * values.get("hw.pagesize", 4096), total))
