"""What reaches from containers into their host, or runs a caller's program: run, exec, cp, prune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.docker_run import decide_run
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.facts import act
from ssh_mcp.remote.files.shell_paths import guarded, permitted, raise_if_changed, require_kind, shell_paths
from ssh_mcp.remote.services.compose import check_mount
from ssh_mcp.remote.services.docker import change, docker, long_timeout, outcome
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.tokens import arg
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

_PRUNES_ALL = ("image", "volume", "system")


@dataclass(frozen=True, slots=True)
class Run:
    """One ``docker run``. ``options`` are the caller's and not yet decided about."""

    image: str
    options: tuple[str, ...] = ()
    name: str | None = None
    command: tuple[str, ...] = ()
    remove: bool = True
    detached: bool = False


async def run(host: RemoteHost, wanted: Run, timeout: float | None) -> ExecResult:
    """Decide about the options, then the host paths they mount, then start. Raises InvalidArgument, PathNotAllowed."""
    plan = decide_run(wanted.options, privileged=host.settings.allow_docker_privileged)
    places = await permitted(host, [(source, Purpose.READ_RAW) for source in plan.sources])
    for place in places:
        require_kind(place, "dfo", "a file or directory that exists: the engine would make it as root")
        check_mount(host, place)
    await host.call.confirm_tool()
    inner = docker(
        host,
        "run",
        *(("--rm",) if wanted.remove and not plan.restarts else ()),
        *(("--detach",) if wanted.detached else ()),
        *((arg(f"--name={wanted.name}"),) if wanted.name else ()),
        plan.tokens([place.path for place in places]),
        arg(wanted.image),
        [arg(word) for word in wanted.command],
    )
    done = await act(host, guarded(inner, [p.path for p in places]), timeout=long_timeout(host, timeout))
    if places:
        raise_if_changed(done.exit_code, done.stderr, places[0].path)
    result = outcome(host, done)
    if done.timed_out:
        result.hint = "docker run was ended at its timeout; ssh_docker_ps shows whether the container still runs."
    return result


async def execute(
    host: RemoteHost, container: str, text: str, *, interactive: bool, timeout: float | None
) -> ExecResult:
    """A caller's shell text inside a container, decided like any other. Raises CommandNotAllowed."""
    permitted = host.commands.permit(text, container=True)
    await host.call.confirm_command((host, permitted))
    flag = ("--interactive",) if interactive else ()
    done = await act(host, docker(host, "exec", *flag, arg(container), "sh -c", arg(permitted.text)), timeout=timeout)
    result = outcome(host, done, permitted.warnings)
    if done.timed_out:
        result.hint = "The call was ended at its timeout; the command may go on inside the container: ssh_docker_top."
    return result


async def copy(
    host: RemoteHost, container: str, inside: str, outside: str, *, out: bool, timeout: float | None
) -> ExecResult:
    """``docker cp`` with the host's side under path policy. Raises PathNotAllowed and its kin."""
    purpose = Purpose.WRITE if out else Purpose.READ_RAW
    (place,) = await permitted(host, [(outside, purpose)])
    if out:
        require_kind(place, "f-", "the full path of the file to write")
    else:
        require_kind(place, "f", "a file")
    if out:
        await host.call.confirm_write(host, place.path, tree=True)
    else:
        await host.call.confirm_tool()
    there = arg(f"{container}:{inside}")
    ends = (there, arg(place.path)) if out else (arg(place.path), there)
    watched: str = place.path
    if place.kind == "-":
        watched = place.path.rpartition("/")[0] or "/"
        (directory,) = await shell_paths(host).canonical([watched])
        if directory.kind != "d":
            raise FileError(
                FileErrorKind.NOT_FOUND, watched, f"{watched} is not a directory.", "Make it with ssh_mkdir first."
            )
    done = await act(host, guarded(docker(host, "cp", *ends), [watched]), timeout=timeout)
    raise_if_changed(done.exit_code, done.stderr, place.path)
    return outcome(host, done)


async def prune(host: RemoteHost, scope: str, *, everything: bool) -> ExecResult:
    """``docker SCOPE prune``. Raises InvalidArgument where the scope knows no "all"."""
    if everything and scope not in _PRUNES_ALL:
        raise InvalidArgument(f"Scope {scope} has no all_: every unused one goes anyway.", "Leave all_ out.")
    flags = ("--all",) if everything else ()
    return await change(host, docker(host, scope, "prune --force", *flags), timeout=long_timeout(host, None))
