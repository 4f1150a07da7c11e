"""A host's container engine: docker, or podman under the same words. Arguments arrive validated.

Reads return rows, changes return how the command ended. Every value travels as a quoted token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ssh_mcp.errors import PlatformNotSupported
from ssh_mcp.facts import docker as facts
from ssh_mcp.facts.last_bytes import last_bytes
from ssh_mcp.remote.facts import ANSWER_CAP, NOT_FOUND, act, ask, ask_one, prepared, text_of
from ssh_mcp.results import docker as results
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.tokens import Command, Token, command

if TYPE_CHECKING:
    from ssh_mcp.facts.base import Fact, Parsed
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed

R = TypeVar("R", bound=ExecResult)

LONG_TIMEOUT = 600.0
"""Seconds for what fetches or builds images, unless the caller or the operator allows more."""

READ_END_BYTES = 65_536
"""Bytes of a log's end that are fetched where the caller does not say; the result shows what its budget allows."""

_INSTEAD = "The operator sets docker_cmd for the host where the engine has another name or place."


def words(host: RemoteHost) -> tuple[str, ...]:
    """The host's docker_cmd."""
    return host.policy.docker_cmd


def docker(host: RemoteHost, *parts: Token | str | Iterable[Token]) -> Command:
    """``docker …`` in the operator's own words."""
    return command(*facts.engine(words(host)), *parts)


def long_timeout(host: RemoteHost, asked: float | None) -> float:
    return max(LONG_TIMEOUT, host.settings.ssh_command_timeout) if asked is None else asked


async def rows(
    host: RemoteHost, fact: Fact[Sequence[Any]], make: Callable[..., R], field: str, *, timeout: float | None = None
) -> R:
    """Ask, and return ``make(…, field=rows)``. What became rows is not repeated in stdout."""
    done = await ask_one(host, fact, timeout=timeout)
    return _with_rows(host, done, fact.parse(text_of(done.stdout)), make, field)


def _with_rows(
    host: RemoteHost, done: Completed, parsed: Parsed[Sequence[Any]], make: Callable[..., R], field: str
) -> R:
    plain = outcome(host, done)
    fields = plain.model_dump()
    if done.exit_code == 0 and not parsed.problems:
        fields["stdout"] = ""
    fields["output_warnings"] = [*plain.output_warnings, *parsed.problems]
    if done.stdout_total > len(done.stdout):
        fields["output_warnings"].append("The reply was cut off: rows may be missing. Filter for fewer.")
    fields["stdout_truncated"] = done.stdout_total > len(done.stdout)
    return make(**fields, **{field: list(parsed.value)})


async def images(host: RemoteHost, fact: facts.Images) -> results.ImageList:
    """Docker lists images without their labels: those are a second question in the same session."""
    if not fact.labels:
        return await rows(host, fact, results.ImageList, "images")
    labels = facts.ImageLabels(fact)
    replies = await ask(host, fact, labels)
    first = replies.reply(fact)
    done = _completed(first.stdout, first.stderr, first.exit_code, timed_out=replies.timed_out)
    listed = _with_rows(host, done, fact.parse(first.text), results.ImageList, "images")
    known = replies.read(labels)
    listed.images = [i.model_copy(update={"Labels": known.get(i.ID, i.Labels)}) for i in listed.images]
    return listed


def _completed(stdout: bytes, stderr: bytes, exit_code: int | None, *, timed_out: bool) -> Completed:
    from transports.api import Completed

    return Completed(
        exit_code=-1 if exit_code is None else exit_code,
        signal=None,
        stdout=stdout,
        stderr=stderr,
        stdout_total=len(stdout),
        stderr_total=len(stderr),
        duration=0.0,
        timed_out=timed_out,
    )


async def look(host: RemoteHost, question: Command) -> ExecResult:
    """A query whose output stays text."""
    try:
        done = await host.commands.run(prepared(question))
    finally:
        host.call.note_command(question.masked())
    return outcome(host, done)


async def change(host: RemoteHost, action: Command, *, timeout: float | None = None) -> ExecResult:
    """One change. A non-zero exit is data."""
    return outcome(host, await act(host, action, timeout=timeout))


async def read_end(host: RemoteHost, question: Command, limit: int) -> ExecResult:
    """A log's newest ``limit`` bytes per stream; ``*_truncated`` says that there was more before."""
    if limit > host.settings.ssh_result_max_bytes and limit != READ_END_BYTES:
        host.call.result_bytes = limit
    inner = last_bytes(question, limit + 1)
    try:
        done = await host.commands.run(prepared(inner), stdout_cap=ANSWER_CAP + 2 * limit)
    finally:
        host.call.note_command(question.masked())
    plain = outcome(host, done)
    fields = plain.model_dump()
    for name, data in (("stdout", done.stdout), ("stderr", done.stderr)):
        if len(data) > limit:
            kept = data[-limit:]
            fields[name] = text_of(kept[kept.find(b"\n") + 1 :])
            fields[f"{name}_truncated"] = True
            fields["output_warnings"].append(f"{name}: only the last {limit} bytes are shown.")
    return ExecResult(**fields)


def outcome(host: RemoteHost, done: Completed, remarks: tuple[str, ...] = ()) -> ExecResult:
    """The client's view, with a hint where the engine's complaint is known. Raises PlatformNotSupported without one."""
    stderr = text_of(done.stderr)
    if done.exit_code == NOT_FOUND and _not_found(stderr, words(host)):
        raise PlatformNotSupported(f"{host.name} has no {words(host)[0]}.", _INSTEAD)
    return host.commands.result(done, remarks=remarks, hint=_hint(stderr, done.exit_code))


def _not_found(stderr: str, program: tuple[str, ...]) -> bool:
    """The host's shell did not find the engine; the same words about a program *inside* a container are data."""
    last = stderr.strip().splitlines()[-1:] or [""]
    named = program[-1] if program[0] in ("sudo", "env") else program[0]
    return "OCI runtime" not in stderr and named in last[0] and ("not found" in last[0] or "No such file" in last[0])


def _hint(stderr: str, exit_code: int) -> str | None:
    if exit_code == 0:
        return None
    for sign, hint in _HINTS:
        if sign in stderr:
            return hint
    return None


_NO_COMPOSE = (
    "The engine has no compose plugin: pass compose_v1=true for docker-compose (or podman-compose), "
    "or the operator sets SSH_DOCKER_COMPOSE_CMD."
)
_NO_ACCESS = (
    "The login user may not use the engine: the operator adds it to the docker group or sets docker_cmd to "
    "'sudo -n docker'."
)
_HINTS = (
    ("Cannot connect to the Docker daemon", "The engine does not run, or docker_cmd points at another address."),
    ("permission denied while trying to connect", _NO_ACCESS),
    ("is not a docker command", _NO_COMPOSE),
    ("unknown shorthand flag: 'f' in -f", _NO_COMPOSE),
    ("unrecognized command `podman compose`", _NO_COMPOSE),
    ("No such container", "ssh_docker_ps with all_=true lists the containers."),
    ("no such container", "ssh_docker_ps with all_=true lists the containers."),
    ("No such image", "ssh_docker_images lists the images; ssh_docker_pull fetches one."),
    (
        "executable file not found",
        "The image has no such program; an image without a shell cannot run ssh_docker_exec's sh.",
    ),
    ("is already in use by container", "The name is taken: choose another, or remove that container."),
    ("is not running", "ssh_docker_start starts the container."),
)
