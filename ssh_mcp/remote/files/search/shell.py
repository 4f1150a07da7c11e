"""Running a search program on the host: first where the path really leads, then, in the same session, the search.

The path is decided on twice: as the caller wrote it, before anything runs, and as the host canonicalises it, before
anything of the output is used. Where both are the same, which is the ordinary case, one session is enough; else the
second runs on the canonical path. A program enters the directory itself before it reads, so that a link that is swapped
in meanwhile leads nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import Refusal
from ssh_mcp.policy.paths import Purpose, decide, normalise_argument, with_resolved_restrictions
from ssh_mcp.remote.files.paths import changed
from ssh_mcp.remote.files.resolver import MISSING, noted
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.programs import run_program
from transports.errors import FileError, FileErrorKind, MasterLost, RemoteError
from transports.programs import program_text

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import CommandLine, Completed, StreamName

_PACKAGE: Final = "ssh_mcp.remote.files.search"
_PROGRAMS: Final = "ssh_mcp.remote.files.programs"
_STARTED: Final = b"+\0"

Feed = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Searched:
    """How a program ended: the canonical root, its kind (d, f, o, -), the policy with its restrictions resolved."""

    root: PermittedPath
    kind: str
    policy: PathPolicy
    started: bool
    done: Completed

    @property
    def unreadable(self) -> int:
        """Lines that the host's program wrote on stderr: one per directory or file that it could not read."""
        return self.done.stderr.count(b"\n")


@dataclass(frozen=True, slots=True)
class Program:
    """One of the search programs: its file, its variables, and what takes its output, made afresh per attempt.

    ``kinds`` are the kinds of roots that it runs on.
    """

    name: str
    values: dict[str, str]
    make_feed: Callable[[], Feed]
    stdin: bytes | None = None
    kinds: str = "d"


async def search(host: RemoteHost, path: str, purpose: Purpose, program: Program) -> Searched:
    """Run ``program`` on the tree that ``path`` leads to.

    Raises InvalidArgument, FileError, PathChanged, the refusals of policy and RemoteError.
    """
    argument = normalise_argument(path, host.policy.paths)
    try:
        decide(argument, host.policy.paths, purpose=purpose)
        go = True
    except Refusal:  # a link may lead where policy allows it: only the host knows
        go = False
    found = await _attempt(host, argument, purpose, program, go=go)
    if found.started or found.kind not in program.kinds:
        return found
    if not go or found.root != argument:
        found = await _attempt(host, found.root, purpose, program, go=True)
    if found.kind in program.kinds and not found.started:
        raise changed(found.root)
    return found


async def _attempt(host: RemoteHost, argument: str, purpose: Purpose, program: Program, *, go: bool) -> Searched:
    given = host.policy.paths
    paths = (argument, *given.restricted)
    variables = {"go": "1" if go else "0", **program.values}
    names = " ".join(f"{key}=${{{i}}}" for i, key in enumerate(variables, 1))
    text = program_text(_PROGRAMS, "canonical.sh") + "".join(
        program_text(_PACKAGE, n) for n in ("enter.sh", program.name)
    )
    own = run_program(f"{names}; shift {len(variables)}\n{text}", *variables.values(), *paths)
    host.call.note_command(f"{program.name.removesuffix('.sh')} {argument}")
    reply, done = await _run(host, own.wire(), 2 * len(paths), program)
    if len(reply.fields) < 2 * len(paths):
        if done.exit_code == MISSING:
            raise FileError(
                FileErrorKind.NOT_FOUND, argument, f"{argument} does not exist.", "List the directory above it."
            )
        raise RemoteError(f"{host.name} could not resolve {argument}.", "It needs readlink -f or realpath.")
    canonical = [field.decode("utf-8", "surrogateescape") for field in reply.fields[::2]]
    policy = with_resolved_restrictions(given, dict(zip(given.restricted, canonical[1:], strict=True)))
    root = noted(host, decide(canonical[0], policy, purpose=purpose))
    return Searched(root, reply.fields[1].decode(), policy, reply.started, done)


async def _run(host: RemoteHost, wire: CommandLine, fields: int, program: Program) -> tuple[_Reply, Completed]:
    """Once more after a lost master: nothing but a question was sent."""
    for last in (False, True):
        reply = _Reply(fields, program.make_feed())
        try:
            done = await connection_of(host).run(
                wire,
                stdin=program.stdin,
                timeout=host.settings.ssh_command_timeout,
                stdout_cap=0,
                stderr_cap=64 * 1024,
                on_output=reply.take,
            )
        except MasterLost:
            if last:
                raise
        else:
            return reply, done
    raise AssertionError("the loop returns or raises")


class _Reply:
    """Splits the canonical paths off the front of the output; the rest is the search's own."""

    def __init__(self, fields: int, feed: Feed) -> None:
        self._wanted = fields
        self._feed = feed
        self._head = bytearray()
        self.fields: list[bytes] = []
        self.started = False

    def take(self, stream: StreamName, data: bytes) -> None:
        if stream != "stdout":
            return
        if self.started:
            self._feed(data)
            return
        self._head += data
        while len(self.fields) < self._wanted and (end := self._head.find(b"\0")) >= 0:
            self.fields.append(bytes(self._head[:end]))
            del self._head[: end + 1]
        if len(self.fields) == self._wanted and self._head.startswith(_STARTED):
            self.started = True
            rest = bytes(self._head[len(_STARTED) :])
            self._head.clear()
            if rest:
                self._feed(rest)
