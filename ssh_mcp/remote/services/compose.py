"""Compose projects: which program, which file, and what the file may ask for before anything is made from it.

The file is read and decided about in the shell's view, the paths in it go through path policy, and what runs is
guarded: had the file another checksum by then, or led a path elsewhere, nothing is started.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssh_mcp.errors import PathRestricted
from ssh_mcp.facts import compose as facts
from ssh_mcp.policy.compose_file import MAX_BYTES, ComposePlan, decide_compose
from ssh_mcp.policy.docker_run import gives_host
from ssh_mcp.policy.paths import Purpose, holds_restricted
from ssh_mcp.remote.facts import act, text_of
from ssh_mcp.remote.files.shell_paths import STOPPED, guarded, permitted, raise_if_changed, require_kind
from ssh_mcp.remote.services import docker as containers
from ssh_mcp.results.docker import ServiceList
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.tokens import Command, Token, arg, command
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.files.resolver import Resolved
    from ssh_mcp.remote.host import RemoteHost

_CHECKSUM = "{ sha256sum 2>/dev/null || cksum; }"
"""Of stdin. cksum is POSIX; the stronger one is on GNU and BusyBox hosts."""


@dataclass(frozen=True, slots=True)
class Project:
    """A permitted compose file: its canonical path, its checksum, and the canonical paths that it uses."""

    file: str
    checksum: str
    words: tuple[str, ...]
    places: tuple[str, ...] = ()

    def command(self, *parts: Token | str) -> Command:
        """``compose -f FILE …``, started only while file and places are what was permitted."""
        inner = command(
            f'[ "$({_CHECKSUM} <', arg(self.file), ')" =', arg(self.checksum), f"] {STOPPED}",
            *facts.compose(self.words, self.file), *parts,
        )  # fmt: skip
        return guarded(inner, [self.file, *self.places])


async def project(host: RemoteHost, file: str, *, legacy: bool, creates: bool) -> Project:
    """Read a compose file and decide about it. Raises PathNotAllowed and its kin, InvalidArgument."""
    (place,) = await permitted(host, [(file, Purpose.READ_RAW)])
    require_kind(place, "f", "the path of a compose file")
    text, checksum = await _content(host, place.path)
    plan = decide_compose(text, creates=creates, privileged=host.settings.allow_docker_privileged)
    places = await _places(host, place.path, plan)
    words = facts.compose_words(host.policy.docker_cmd, host.policy.compose_cmd, legacy=legacy)
    return Project(place.path, checksum, words, tuple(p.path for p in places if p.kind != "-"))


async def _content(host: RemoteHost, path: str) -> tuple[str, str]:
    """Text and checksum of one read of the file: what is decided about is what the checksum is of."""
    script = (
        f't=$(head -c {MAX_BYTES + 1} <"$1"; printf .) || exit 1; t=${{t%.}};'
        f' printf %s "$t" | {_CHECKSUM}; printf "== text\\n%s" "$t"'
    )
    done = await host.commands.run(command("sh -c", arg(script), "sh", arg(path)), stdout_cap=MAX_BYTES + 4096)
    checksum, mark, text = text_of(done.stdout).partition("== text\n")
    if done.exit_code != 0 or not mark:
        said = text_of(done.stderr).strip().splitlines()[-1:]
        raise RemoteError(f"{path} could not be read: {' '.join(said) or 'no reason given'}.", "Look at its rights.")
    return text, checksum.strip()


async def _places(host: RemoteHost, file: str, plan: ComposePlan) -> list[Resolved]:
    """Every path of the file, resolved against its directory, canonical and permitted."""
    directory = posixpath.dirname(file)
    wanted = [posixpath.join(directory, path) for path in (*plan.mounts, *plan.reads)]
    places = await permitted(host, [(path, Purpose.READ_RAW) for path in wanted])
    for place in places[: len(plan.mounts)]:
        check_mount(host, place)
    return places


def check_mount(host: RemoteHost, place: Resolved) -> None:
    """A directory in a container shows all below it. Raises PathRestricted where policy forbids something there."""
    rule = holds_restricted(place.path, host.policy.paths) if place.kind == "d" else None
    if rule is not None:
        raise PathRestricted(f"{place.path} may hold what {rule} restricts.", "Mount a narrower directory.")
    if gives_host(place.path) and not host.settings.allow_docker_privileged:
        raise PathRestricted(
            f"{place.path} is or holds an engine's socket or the kernel's settings, which gives access to the host.",
            "The operator would have to set ALLOW_DOCKER_PRIVILEGED.",
        )


async def change(
    host: RemoteHost, file: str, words: tuple[Token | str, ...], *, legacy: bool, creates: bool, timeout: float | None
) -> ExecResult:
    """One compose verb that changes something."""
    made = await project(host, file, legacy=legacy, creates=creates)
    done = await act(host, made.command(*words), timeout=timeout)
    raise_if_changed(done.exit_code, done.stderr, made.file)
    return containers.outcome(host, done)


async def services(
    host: RemoteHost, file: str, *, legacy: bool, labels: bool, service: str | None, status: str | None
) -> ServiceList:
    """Containers of a project, in one shape for every compose there is."""
    made = await project(host, file, legacy=legacy, creates=False)
    fact = facts.Services(
        docker=containers.words(host),
        compose_cmd=made.words,
        file=made.file,
        labels=labels,
        service=service,
        status=status,
        legacy=legacy or bool(host.policy.compose_cmd and "compose" not in host.policy.compose_cmd),
    )
    return await containers.rows(host, fact, ServiceList, "services")


async def logs(host: RemoteHost, file: str, *, legacy: bool, tail: int, service: str | None, limit: int) -> ExecResult:
    """The newest lines of a project's services."""
    made = await project(host, file, legacy=legacy, creates=False)
    only = (arg(service),) if service else ()
    return await containers.read_end(host, made.command(f"logs --tail={tail}", *only), limit)
