"""What many audit lines say together, in memory that does not grow with their number."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypeVar

from .reader import began, failed
from .record import AuditRecord

MAX_NAMES: Final = 2_000
"""Different hosts, tools or refusals that are counted by name; the rest is counted together."""

OTHERS: Final = "(others)"
MAX_SLOWEST: Final = 20
MAX_APPROVALS: Final = 200
MAX_BUCKETS: Final = 240
_Name = TypeVar("_Name")
_FIRST_WIDTH: Final = 60.0  # seconds; doubled as the time grows


@dataclass(slots=True)
class Tally:
    """Calls of one host or tool. Times in milliseconds."""

    calls: int = 0
    errors: int = 0
    total_ms: int = 0
    longest_ms: int = 0
    last: float = 0.0

    def add(self, took: int, when: float, *, error: bool) -> None:
        self.calls += 1
        self.errors += error
        self.total_ms += took
        self.longest_ms = max(self.longest_ms, took)
        self.last = max(self.last, when)


@dataclass(slots=True)
class Timeline:
    """Calls and errors by time: at most ``MAX_BUCKETS`` buckets of ``width`` seconds, numbered from the epoch."""

    width: float = _FIRST_WIDTH
    calls: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)

    def add(self, when: float, *, error: bool) -> None:
        bucket = int(when // self.width)
        known = bucket in self.calls
        self.calls[bucket] += 1
        self.errors[bucket] += error
        if not known:
            self._widen()

    def _widen(self) -> None:
        while self.calls and max(self.calls) - min(self.calls) >= MAX_BUCKETS:
            self.width *= 2
            for counter in (self.calls, self.errors):
                halved: Counter[int] = Counter()
                for bucket, count in counter.items():
                    halved[bucket // 2] += count
                counter.clear()
                counter.update(halved)


@dataclass(slots=True)
class Summary:
    """``add`` each line; then read the fields."""

    calls: int = 0
    errors: int = 0
    first: float | None = None
    last: float | None = None
    hosts: dict[str, Tally] = field(default_factory=dict)
    tools: dict[str, Tally] = field(default_factory=dict)
    tiers: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(error, tool, host) of calls that ended as an error."""
    approvals: list[AuditRecord] = field(default_factory=list)
    """The last ``MAX_APPROVALS`` calls that policy asked about."""
    asked: Counter[str] = field(default_factory=Counter)
    timeline: Timeline = field(default_factory=Timeline)
    _slowest: list[tuple[int, int, AuditRecord]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def add(self, record: AuditRecord) -> None:
        when, took = began(record), record.duration_ms
        error = failed(record)
        self.calls += 1
        self.errors += error
        if self.first is None or when < self.first:
            self.first = when
        if self.last is None or when > self.last:
            self.last = when
        for host in record.hosts or ((record.alias or record.host,) if record.host else ()):
            _tally(self.hosts, host or OTHERS).add(took, when, error=error)
        _tally(self.tools, record.tool).add(took, when, error=error)
        self.tiers[record.tier] += 1
        _count(self.clients, record.client or record.identity or "unknown", OTHERS)
        self.timeline.add(when, error=error)
        if record.error is not None:
            _count(self.refusals, (record.error, record.tool, record.alias or record.host or "-"), (OTHERS,) * 3)
        if record.approval is not None:
            self.asked[record.approval.outcome] += 1
            self.approvals.append(record)
            del self.approvals[:-MAX_APPROVALS]
        if len(self._slowest) < MAX_SLOWEST or took > self._slowest[0][0]:
            self._keep_slowest(record)

    def _keep_slowest(self, record: AuditRecord) -> None:
        item = (record.duration_ms, next(self._number), record)
        if len(self._slowest) < MAX_SLOWEST:
            heapq.heappush(self._slowest, item)
        else:
            heapq.heapreplace(self._slowest, item)

    @property
    def slowest(self) -> list[AuditRecord]:
        """Slowest first."""
        return [record for _, _, record in sorted(self._slowest, reverse=True)]


def _tally(tallies: dict[str, Tally], name: str) -> Tally:
    found = tallies.get(name)
    if found is not None:
        return found
    return tallies.setdefault(name if len(tallies) < MAX_NAMES else OTHERS, Tally())


def _count(counter: Counter[_Name], name: _Name, others: _Name) -> None:
    counter[name if name in counter or len(counter) < MAX_NAMES else others] += 1
