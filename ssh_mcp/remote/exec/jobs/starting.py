"""Starting a job: the command travels on stdin, so that it is in no process list and never runs by half."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import JobStoreUnavailable
from ssh_mcp.facts.jobs import Reply
from ssh_mcp.remote.exec.jobs.asking import TAIL_REQUEST, Asking, Looked
from ssh_mcp.remote.sudo.session import Progress, feed, refusal, sudo_words
from transports.api import Completed
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost


_LINE_MAX = 16_384
"""Bytes of a command that is read byte by byte."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a job is to be. ``claim`` is the hash of its name, ``-`` for none; ``name`` and ``command`` are encoded for
    job.sh; ``epoch`` is seconds with thousandths; ``timeout`` seconds, 0 for none; ``body`` is the shell text.
    """

    id: str
    claim: str
    name: str
    command: str
    epoch: str
    max_bytes: int
    timeout: int
    body: bytes


def job_input(command: bytes, mark: str) -> bytes:
    """What run.sh reads behind the first line with the mark. bash may misread a line of broken UTF-8, hence ASCII."""
    return b"%b\n%b\n%b\n" % (_kind(command), command, mark.encode())


def _kind(command: bytes) -> bytes:
    plain = command.isascii() and b"\n" not in command and len(command) < _LINE_MAX
    return b"1" if plain else b"-"


def quickly(job: Beginning) -> bool:
    """Whether quick.sh and watched.sh can start it: they read its command byte by byte."""
    return len(job.body) <= _LINE_MAX


async def launch_quickly(host: RemoteHost, asking: Asking, job: Beginning, wait: float) -> Looked | None:
    """Start it on a host that has said that this works there: the job after ``wait`` seconds, or the running one of
    that name. None where it was not started, because that host has no named pipes.

    Raises JobStoreUnavailable, RemoteError, TransportError.
    """
    reply, done = await asking.run(
        "watched" if wait else "quick",
        *(job.id, job.claim, job.name, job.command, job.epoch, job.max_bytes, job.timeout),
        f"ssh-mcp-{secrets.token_hex(16)}",
        _kind(job.body).decode(),
        job.body.decode("utf-8", "surrogateescape"),
        TAIL_REQUEST,
        stdin=_line_after(wait) if wait else None,
        wait=wait,
        idempotent=False,
        leaves=not wait,
    )
    if reply.words[:1] == ("pipeless",):
        return None
    if not reply.words and done.exit_code:  # what waited there was killed; the job has its keeper
        return await asking.look(job.id)
    if reply.words[:1] not in (("started",), ("already",)):
        raise _failure(host, reply)
    return asking.looked(reply, done, job.id)


async def _line_after(seconds: float) -> AsyncGenerator[bytes]:
    """The stdin of watched.sh, which replies when a line comes: so the host needs no timer."""
    await anyio.sleep(seconds)
    yield b"\n"


async def launch(host: RemoteHost, asking: Asking, job: Beginning, wait: float, *, sudo: bool) -> Looked:
    """Start it, as root where ``sudo``; the job after ``wait`` seconds, or the running one of that name.

    Raises JobStoreUnavailable, SudoFailed, RemoteError, TransportError.
    """
    seen = Progress.fresh()
    mark = seen.mark.decode()
    password = await host.sudo.password() if sudo else None
    program = await host.sudo.program() if sudo else ""
    words = sudo_words(seen, has_password=password is not None, program=program) if sudo else ""
    body = job_input(job.body, mark)
    stdin: bytes | AsyncIterator[bytes] = feed(seen, password, body) if sudo else b"%b\n%b" % (mark.encode(), body)
    reply, done = await asking.run(
        "start",
        *(job.id, job.claim, job.name, job.command, job.epoch, job.max_bytes, job.timeout, mark, words),
        round(wait * 1000),
        TAIL_REQUEST,
        stdin=stdin,
        wait=wait,
        idempotent=False,
        sink=seen.see if sudo else None,
    )
    if reply.words[:1] not in (("started",), ("already",)):
        if program and not seen.started.is_set() and reply.words[:1] != ("refused",):
            raise refusal(seen, done, None, has_password=password is not None, program=program)
        raise _failure(host, reply)
    return asking.looked(reply, _without_mark(done, mark), job.id)


def _failure(host: RemoteHost, reply: Reply) -> Exception:
    if reply.words[:1] == ("refused",):
        place, _, reason = " ".join(reply.words[1:]).partition(": ")
        return JobStoreUnavailable(
            f"Jobs are kept in {place} on {host.name}, which does not work: {reason.rstrip('.')}.",
            "Run shorter commands with ssh_exec_run, or the operator makes that directory writable.",
        )
    return RemoteError(f"{host.name} could not start the job.", "Look for a full disk or process limits there.")


def _without_mark(done: Completed, mark: str) -> Completed:
    """Without the lines that preceded the job's stderr: sudo's, and ``MARK PID``."""
    from dataclasses import replace

    start = done.stderr.find(mark.encode())
    end = done.stderr.find(b"\n", start) + 1 if start >= 0 else 0
    return replace(done, stderr=done.stderr[end:])
