"""Questions about jobs: one command each, its reply as values."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ssh_mcp.audit.sinks import JobEnd
from ssh_mcp.errors import JobNotFound
from ssh_mcp.facts.jobs import Job, Reply, Unreadable, parse_reply
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.exec.jobs.program import prelude, question
from ssh_mcp.remote.exec.jobs.text import MARGIN, Window
from ssh_mcp.remote.host import connection_of
from transports.api import Completed, OutputSink
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

TAIL: Final = 12_288
"""Bytes of each stream that a look at a job shows: its last lines."""
TAIL_REQUEST: Final = TAIL + MARGIN
_SLACK: Final = 30.0
"""Seconds that a question may take beyond the wait that it asks for."""
_LINES: Final = 1 << 20
"""Bytes of a reply's lines: those of a thousand jobs with long commands."""
BLOCK: Final = 4_096
"""Bytes: what output.sh reads files by."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A job, the windows of both streams that came with it, and the words that preceded it."""

    job: Job
    stdout: Window
    stderr: Window
    words: tuple[str, ...] = ()


class Asking:
    """One host's jobs on behalf of one identity."""

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        identity = host.call.caller.identity
        self.owner = hashlib.sha256(f"ssh-mcp job\0{identity}".encode()).hexdigest()[:16]
        """Kept beside each job: another identity's jobs do not exist."""

    async def run(
        self,
        verb: str,
        *parameters: str | int,
        stdin: bytes | AsyncIterator[bytes] | None = None,
        wait: float = 0,
        cap: int = _LINES,
        idempotent: bool = True,
        leaves: bool = False,
        sink: OutputSink | None = None,
    ) -> tuple[Reply, Completed]:
        """Run one verb. ``wait``: seconds that the host takes on purpose; ``cap``: bytes of the reply.

        Raises RemoteError where the reply is not of our programs, TransportError.
        """
        done = await connection_of(self._host).run(
            question(verb, self.owner, *parameters).wire(),
            prelude=prelude(),
            stdin=stdin,
            timeout=wait + _SLACK,
            stdout_cap=cap,
            stderr_cap=cap,
            idempotent=idempotent,
            leaves=leaves,
            on_output=sink,
        )
        if done.timed_out:
            raise RemoteError(
                f"{self._host.name} did not report its jobs in time.", "Retry; its disk or its processes may hang."
            )
        try:
            return parse_reply(done.stdout), done
        except Unreadable as error:
            raise RemoteError(f"{self._host.name} sent no readable reply about its jobs: {error}.") from None

    async def look(self, job_id: str, wait: float = 0) -> Looked:
        """One job and the end of its output, when it has ended or ``wait`` seconds have passed. Raises JobNotFound."""
        reply, done = await self.run("status", job_id, round(wait * 1000), TAIL_REQUEST, wait=wait, cap=_LINES)
        return self.looked(reply, done, job_id)

    def looked(self, reply: Reply, done: Completed, job_id: str) -> Looked:
        """What a verb that shows one job and its tails replied."""
        job = self.job(reply, job_id)
        growing = job.state == "running"
        out, err = reply.offsets
        stdout = Window(reply.data, out, max(job.stdout_bytes, out + len(reply.data)), growing)
        stderr = Window(done.stderr, err, max(job.stderr_bytes, err + len(done.stderr)), growing)
        return Looked(job, stdout, stderr, reply.words)

    def job(self, reply: Reply, job_id: str) -> Job:
        """The one job of a reply. Raises JobNotFound, RemoteError where its files were changed by somebody else."""
        if reply.damaged:
            raise RemoteError(
                f"What {self._host.alias} keeps of job {job_id} was changed by something else and cannot be read.",
                f"The operator removes its directory there: .ssh-mcp/jobs/{job_id}.",
            )
        if len(reply.jobs) != 1:
            self._host.call.fleet.jobs.gone(job_id)
            raise JobNotFound(f"{self._host.alias} has no job {job_id}.", "ssh_job_list shows the jobs that it has.")
        job = reply.jobs[0]
        self.note_end(job)
        return job

    def note_end(self, job: Job) -> None:
        """The audit line of a job's end, written by the server that is the first to see it; the status shows all."""
        self._host.call.fleet.jobs.saw(self._host.alias, job)
        if job.first:
            host = self._host
            tier = Tier.SUDO if job.root else Tier.DANGEROUS
            where = (host.hostname, host.alias, host.user, host.port)
            host.call.record.job_ended(JobEnd(job.id, job.exit_code, round((job.duration or 0) * 1000), tier, *where))
