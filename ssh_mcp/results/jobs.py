"""Results of jobs. Times are UTC; byte counts are the host's, whatever is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled, Warned

JobState = Literal["running", "exited", "killed", "timed_out", "cancelled", "lost", "host_rebooted"]


class JobResult(Spooled):
    """A job and the last lines of its output. ``next_stdout`` and ``next_stderr`` are cursors for ssh_job_output.

    ``exit_code`` is the shell's, None while the job runs and where nobody wrote it down (``lost``, ``host_rebooted``).
    """

    job_id: Ours
    host: Ours
    name: str | None = None
    state: JobState
    exit_code: int | None = None
    killed_by_signal: Ours | None = None
    stdout: str = ""
    stderr: str = ""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    started: Ours
    duration_ms: int | None = None
    next_stdout: int = 0
    next_stderr: int = 0
    sudo: bool = False
    already_running: bool = False
    hint: Ours | None = None


class JobEntry(Result):
    """One job of a list. ``command`` is as it was stored: masked, and cut where it is long."""

    job_id: Ours
    host: Ours
    name: str | None = None
    command: str
    state: JobState
    exit_code: int | None = None
    started: Ours
    duration_ms: int | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0


class JobList(Spooled):
    """Newest first. ``not_asked``: hosts without an open connection, where no host was named; ``errors`` by host."""

    jobs: list[JobEntry] = Field(default_factory=list)
    not_asked: list[Ours] = Field(default_factory=list)
    errors: dict[str, str] = Field(default_factory=dict)


class JobOutput(Warned):
    """A piece of one stream. ``cursor`` is where the next piece begins; ``more``: there is more already."""

    text: str = ""
    cursor: int = 0
    bytes_total: int = 0
    lines_matched: int | None = None
    more: bool = False
    state: JobState


class JobCancelled(Result):
    """``signal`` ended it (TERM or KILL); None where it had ended before."""

    state: JobState
    signal: Ours | None = None
    job_id: Ours
    host: Ours
    removed: bool = False
