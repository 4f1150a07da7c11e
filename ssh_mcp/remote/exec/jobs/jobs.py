"""Jobs of one host within one call: start, list, look, read, cancel. What is known of a job is on its host alone."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import InvalidArgument, JobNotFound, TierClosed
from ssh_mcp.facts.jobs import Job, encoded
from ssh_mcp.guard.aside import aside
from ssh_mcp.policy.tiers import Tier, open_tiers
from ssh_mcp.remote.exec.jobs.asking import TAIL, Asking, Looked
from ssh_mcp.remote.exec.jobs.ledger import outdated
from ssh_mcp.remote.exec.jobs.output import Selection, read_output
from ssh_mcp.remote.exec.jobs.program import end_as_root
from ssh_mcp.remote.exec.jobs.starting import Beginning, launch, launch_quickly, quickly
from ssh_mcp.remote.exec.jobs.text import Piece, Window, piece
from ssh_mcp.results.jobs import JobCancelled, JobEntry, JobList, JobOutput, JobResult
from transports.errors import MasterLost, TransportError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

MAX_TIMEOUT: Final = 30 * 86_400
"""Seconds: the longest timeout of a job."""
_COMMAND_CHARS: Final = 4_000
"""Characters of the masked command that are kept beside the job."""
_NAME_CHARS: Final = 100
_ENDING: Final = 10.0
"""Seconds that ending a job may take on the host: TERM, two seconds of grace, KILL, its exit status."""
_SETTLING: Final = 1.0
"""Seconds after which a job that a lost connection has begun is there, or never will be."""
_ID = re.compile(r"[0-9a-f]{12}")

_LOGOUT = (
    "The host ends a user's processes at logout (KillUserProcesses=yes), so this job ends with the last session of "
    "its user. For jobs to stay, the operator runs `loginctl enable-linger USER` there."
)


class Jobs:
    """What the job tools do on one host. Raises JobNotFound for what is not this identity's."""

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        self._asking = Asking(host)

    async def start(self, command: str, *, name: str | None, timeout: int | None, wait: float, sudo: bool) -> JobResult:
        """Start a permitted command and wait for its end, at most ``wait`` seconds.

        Raises CommandNotAllowed and its kin, JobStoreUnavailable, SudoFailed, TierClosed.
        """
        host, begun = self._host, time.monotonic()
        if timeout is not None and not 0 < timeout <= MAX_TIMEOUT:
            raise InvalidArgument(
                f"A timeout of {timeout} seconds is out of range.", f"It is 1 to {MAX_TIMEOUT} seconds, or none."
            )
        if sudo:
            self._require_sudo()
        host.call.note_command(command)
        permitted = host.commands.permit(command, sudo=sudo)
        await host.call.confirm_command((host, permitted))
        job = Beginning(
            id=secrets.token_hex(6),
            claim=self._claim(name),
            name=encoded(name or ""),
            command=encoded(host.call.masked(command)[:_COMMAND_CHARS]),
            epoch=f"{time.time():.3f}",
            max_bytes=host.settings.ssh_job_max_output_bytes,
            timeout=timeout or 0,
            body=host.commands.in_default_dir(permitted).wire().encode("utf-8", "surrogateescape"),
        )
        host.call.record.job(job.id)
        try:
            looked = None
            if not sudo and quickly(job) and host.call.fleet.jobs.quick(host.alias):
                looked = await launch_quickly(host, self._asking, job, wait)
            if looked is None:
                looked = await launch(host, self._asking, job, wait, sudo=sudo)
        except MasterLost as lost:
            looked = await self._after_all(job.id, lost)
        left = wait - (time.monotonic() - begun)
        if looked.job.state == "running" and left > 1 and looked.words[:1] != ("already",):
            # Where nothing leaves the session the start does not wait: it would be ended with the job in it.
            again = await self._asking.look(looked.job.id, left)
            looked = Looked(again.job, again.stdout, again.stderr, looked.words)
        host.call.record.job(looked.job.id)
        if looked.words[:1] == ("started",):
            host.call.fleet.jobs.started(host.alias, quick=looked.words[3:] == ("quick",))
        if host.call.fleet.jobs.due(host.alias, _count(looked.words)):
            await self.list()
        return await self._result(looked, permitted.warnings)

    async def status(self, job_id: str, wait: float) -> JobResult:
        """One job: at its end, or after ``wait`` seconds."""
        looked = await self._asking.look(self._noted(job_id), wait)
        return await self._result(looked)

    async def list(self) -> JobList:
        """All jobs of this identity, newest first; those that are kept too long already are removed."""
        reply, _ = await self._asking.run("list", cap=16 << 20)
        now = int(reply.words[1]) if len(reply.words) == 2 and reply.words[1].isdigit() else int(time.time())
        for job in reply.jobs:
            self._asking.note_end(job)
        old = outdated(reply.jobs, now, self._host.settings.ssh_job_keep_hours * 3600, here=time.time())
        if old:
            await self._asking.run("remove", *old)
        self._host.call.fleet.jobs.looked(self._host.alias)
        kept = sorted((job for job in reply.jobs if job.id not in set(old)), key=lambda job: job.began, reverse=True)
        found = JobList(jobs=[self._entry(job) for job in kept])
        if reply.damaged:
            found.output_warnings.append(
                f"{self._host.name}: {reply.damaged} left out, whose files on the host were changed by something else."
            )
        return found

    async def output(self, job_id: str, selection: Selection) -> JobOutput:
        """A piece of one stream. Raises InvalidArgument for a pattern that is none."""
        return await read_output(self._host, self._asking, self._noted(job_id), selection)

    async def cancel(self, job_id: str, *, remove: bool) -> JobCancelled:
        """End a job and all that belongs to it: TERM, two seconds, KILL; a root job by root. Raises SudoFailed."""
        looked = await self._asking.look(self._noted(job_id))
        job, signal = looked.job, None
        if job.state == "running":
            if job.root:
                job, signal = await self._cancel_as_root(job)
            else:
                reply, _ = await self._asking.run("cancel", job_id, wait=_ENDING, idempotent=False)
                job = self._asking.job(reply, job_id)
                signal = reply.words[1] if reply.words[:1] == ("signal",) and reply.words[1] != "-" else None
        removed = remove and job.state != "running"
        if removed:
            await self._asking.run("remove", job_id)
        return JobCancelled(job_id=job_id, host=self._host.name, state=job.state, signal=signal, removed=removed)

    async def _cancel_as_root(self, job: Job) -> tuple[Job, str | None]:
        self._require_sudo()
        self._asking.job((await self._asking.run("mark", job.id, idempotent=False))[0], job.id)
        signal = None
        if job.group is not None:
            done = await self._host.sudo.run(end_as_root(job.group, job.id), timeout=_ENDING)
            word = done.stdout.decode("ascii", "replace").strip()
            signal = word if word in ("TERM", "KILL") else None
        return (await self._asking.look(job.id, 5)).job, signal

    def _entry(self, job: Job) -> JobEntry:
        return JobEntry(
            job_id=job.id,
            host=self._host.name,
            name=job.name or None,
            command=job.command,
            state=job.state,
            exit_code=job.exit_code,
            started=_utc(job.began),
            duration_ms=_milliseconds(job),
            stdout_bytes=job.stdout_bytes,
            stderr_bytes=job.stderr_bytes,
        )

    # --- helpers ----------------------------------------------------------------------------------------------------

    async def _after_all(self, job_id: str, lost: MasterLost) -> Looked:
        """The connection broke during the start: the host knows whether there is a job of that id."""
        for pause in (_SETTLING, 0.0):
            try:
                return await self._asking.look(job_id)
            except JobNotFound:
                await anyio.sleep(pause)  # its keeper may be about to write itself down
            except TransportError:
                break
        else:
            raise MasterLost(lost.what, "The host knows of no such job, so it was not started. Retry.") from None
        raise MasterLost(
            lost.what,
            f"The job may have been started: look for {job_id} with ssh_job_status before you start it again.",
        ) from None

    def _require_sudo(self) -> None:
        if Tier.SUDO not in open_tiers(self._host.settings):
            raise TierClosed(
                "A job as root needs the sudo tier, which is closed.",
                "To open it, the operator sets ALLOW_DANGEROUS_TOOLS=true and ALLOW_SUDO=true.",
            )
        self._host.call.tier = Tier.SUDO  # rules that ask about root count

    def _noted(self, job_id: str) -> str:
        if not _ID.fullmatch(job_id):
            raise InvalidArgument("The job_id is not one that ssh_job_start returns.", "It has 12 hexadecimal digits.")
        self._host.call.record.job(job_id)
        return job_id

    def _claim(self, name: str | None) -> str:
        if name is None:
            return "-"
        if not name.strip() or len(name) > _NAME_CHARS or not name.isprintable():
            raise InvalidArgument(
                "The name is empty, too long or holds control characters.", f"Give 1 to {_NAME_CHARS} characters."
            )
        return hashlib.sha256(f"{self._asking.owner}\0{name}".encode()).hexdigest()[:16]

    async def _result(self, looked: Looked, warnings: tuple[str, ...] = ()) -> JobResult:
        job = looked.job
        if job.exit_code is not None:
            self._host.call.note_exit(job.exit_code)
        size = len(looked.stdout.data) + len(looked.stderr.data)
        stdout, stderr = await aside(size, self._tails, looked)
        return JobResult(
            job_id=job.id,
            host=self._host.name,
            name=job.name or None,
            state=job.state,
            exit_code=job.exit_code,
            killed_by_signal=job.signal if job.state != "exited" else None,
            stdout=stdout.text,
            stderr=stderr.text,
            stdout_bytes=looked.stdout.total,
            stderr_bytes=looked.stderr.total,
            started=_utc(job.began),
            duration_ms=_milliseconds(job),
            next_stdout=stdout.end,
            next_stderr=stderr.end,
            sudo=job.root,
            already_running=looked.words[:1] == ("already",),
            hint=_hint(job, logout=looked.words[1:2] == ("logout",), cut=stdout.start + stderr.start > 0),
            output_warnings=list(warnings),
        )

    def _tails(self, looked: Looked) -> tuple[Piece, Piece]:
        policy = self._host.policy.redaction
        return (
            piece(looked.stdout, _tail_start(looked.stdout), TAIL, policy),
            piece(looked.stderr, _tail_start(looked.stderr), TAIL, policy),
        )


def _tail_start(window: Window) -> int:
    """Where the last lines begin that TAIL has room for."""
    start = max(window.end - TAIL, 0)
    if start <= window.offset:
        return window.offset
    line = window.data.find(b"\n", start - window.offset - 1)
    return start if line < 0 else min(window.offset + line + 1, window.end)


def _utc(epoch: float) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).isoformat().replace("+00:00", "Z")


def _milliseconds(job: Job) -> int | None:
    return None if job.duration is None else round(job.duration * 1000)


def _count(words: tuple[str, ...]) -> int:
    """Job directories on the host, as a start says."""
    return int(words[2]) if len(words) == 4 and words[2].isdigit() else 0


_STATES: Final = {
    "running": "It still runs. ssh_job_status with wait up to 45 returns at its end; ssh_job_output reads its output.",
    "timed_out": "It was ended at its timeout, with all it had started.",
    "lost": "Its processes are gone and left no exit status: something killed them (SIGKILL, out of memory).",
    "host_rebooted": "The host was restarted while it ran.",
}
_CUT: Final = {
    "cap": "Output beyond the limit (SSH_JOB_MAX_OUTPUT_BYTES) was dropped; the job went on.",
    "full": "Output could not be written (a full disk?) and was dropped; the job went on.",
}


def _hint(job: Job, *, logout: bool, cut: bool) -> str | None:
    said = [_STATES[job.state]] if job.state in _STATES else []
    if cut:
        said.append("Only the last lines are shown; ssh_job_output with cursor=0 reads from the beginning.")
    said += [text for kind, text in _CUT.items() if any(name.endswith(kind) for name in job.cut)]
    if logout:
        said.append(_LOGOUT)
    return " ".join(said) or None
