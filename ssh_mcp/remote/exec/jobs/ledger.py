"""What this server remembers of jobs on all hosts: when it last looked for old ones. Which are too old is pure."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ssh_mcp.facts.jobs import Job

KEPT_JOBS: Final = 200
"""Ended jobs of one owner that a host keeps."""
_EVERY: Final = 600.0
"""Seconds between two looks for old jobs that no listing has asked for."""


@dataclass(slots=True)
class JobLedger:
    """One per server."""

    _looked: dict[str, float] = field(default_factory=dict)
    _quick: dict[str, float] = field(default_factory=dict)
    _seen: OrderedDict[str, tuple[str, Job]] = field(default_factory=OrderedDict)

    def due(self, alias: str, count: int) -> bool:
        """Whether a host with ``count`` job directories is to be cleaned up now."""
        last = self._looked.get(alias)
        return count > KEPT_JOBS or last is None or time.monotonic() - last > _EVERY

    def looked(self, alias: str) -> None:
        """A listing has just been cleaned up."""
        self._looked[alias] = time.monotonic()

    def started(self, alias: str, *, quick: bool) -> None:
        """A start there has said whether quick.sh works. That is asked again after a while: its settings may change."""
        if quick:
            self._quick.setdefault(alias, time.monotonic())
        else:
            self._quick.pop(alias, None)

    def quick(self, alias: str) -> bool:
        """Whether the next job there may be started by quick.sh."""
        since = self._quick.get(alias)
        if since is not None and time.monotonic() - since > _EVERY:
            del self._quick[alias]
            return False
        return since is not None

    def saw(self, alias: str, job: Job) -> None:
        """A host described this job just now; the newest descriptions are kept, for the operator's status."""
        self._seen.pop(job.id, None)
        self._seen[job.id] = alias, job
        while len(self._seen) > KEPT_JOBS:
            self._seen.popitem(last=False)

    def gone(self, job_id: str) -> None:
        """The host no longer has this job."""
        self._seen.pop(job_id, None)

    def seen(self) -> tuple[tuple[str, Job], ...]:
        """Alias and job as last described, the latest first: a job may have ended since."""
        return tuple(reversed(self._seen.values()))

    def used(self) -> tuple[str, ...]:
        """Aliases of hosts on which this server has used jobs."""
        return tuple(self._looked)


def outdated(jobs: Sequence[Job], now: float, keep_seconds: float, *, here: float) -> list[str]:
    """Ids of the ended jobs that are too old or beyond the newest ``KEPT_JOBS``.

    A job's start is by our clock, which shows ``here``; what the host has noted is by the host's, which shows ``now``.
    """

    def age(job: Job) -> float:
        return here - job.began - (job.duration or 0) if job.ended is None else now - job.ended

    ages = sorted((age(job), job.id) for job in jobs if job.state != "running")
    return [job_id for i, (old, job_id) in enumerate(ages) if i >= KEPT_JOBS or old > keep_seconds]
