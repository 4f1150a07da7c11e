"""Group docker: containers, images, volumes. Compose has a module of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.facts import docker as facts
from ssh_mcp.facts.docker_events import Events
from ssh_mcp.policy import arguments
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.remote.services import docker as containers
from ssh_mcp.remote.services import docker_run
from ssh_mcp.results.docker import (
    ContainerList,
    DiskCategoryList,
    EventList,
    ImageList,
    Inspection,
    StatsList,
    VolumeList,
)
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.tokens import arg
from ssh_mcp.tools.spec import ToolFunction, tool

Timeout = int | None
LongTimeout = Annotated[int | None, Field(description="Default 600 s")]
Container = str
Tail = Annotated[int, Field(ge=1, le=10_000, description="Lines from the end, 1-10000")]
MaxBytes = Annotated[int, Field(ge=1024, le=10 * 1024 * 1024, description="1 KiB-10 MiB per stream")]

_WINDOWS = "Containers are reached on POSIX hosts only."


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_ps(
    host: RemoteHost,
    *,
    all_: Annotated[bool, Field(description="Stopped ones too")] = False,
    include_labels: bool = False,
    name: Annotated[str | None, Field(description="Part of the name")] = None,
    status: Literal["created", "running", "paused", "restarting", "exited", "dead"] | None = None,
    label: Annotated[str | None, Field(description="key or key=value")] = None,
    ancestor: Annotated[str | None, Field(description="Image")] = None,
) -> ContainerList:
    """List running containers with state, image and ports (all_: stopped ones too). Of one compose project:
    ssh_docker_compose_ps.
    """
    question = facts.Containers(
        containers.words(host),
        everything=all_,
        labels=include_labels,
        pairs=(
            ("name", None if name is None else arguments.container(name)),
            ("status", status),
            ("label", None if label is None else arguments.label(label)),
            ("ancestor", None if ancestor is None else arguments.image(ancestor)),
        ),
    )
    return await containers.rows(host, question, ContainerList, "containers")


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_images(
    host: RemoteHost,
    *,
    include_labels: bool = False,
    reference: Annotated[str | None, Field(description="Such as nginx or nginx:1.*")] = None,
    dangling: Annotated[bool | None, Field(description="Only (or without) untagged ones")] = None,
    label: Annotated[str | None, Field(description="key or key=value")] = None,
) -> ImageList:
    """List images with tag, id, age and size. For the containers made of them: ssh_docker_ps."""
    question = facts.Images(
        containers.words(host),
        labels=include_labels,
        reference=None if reference is None else arguments.image_pattern(reference),
        dangling=dangling,
        label=None if label is None else arguments.label(label),
    )
    return await containers.images(host, question)


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_volumes(
    host: RemoteHost, name: Annotated[str | None, Field(description="Part of the name")] = None
) -> VolumeList:
    """List volumes, by name if asked."""
    question = facts.Volumes(containers.words(host), None if name is None else arguments.container(name))
    return await containers.rows(host, question, VolumeList, "volumes")


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_stats(host: RemoteHost) -> StatsList:
    """Show CPU, memory, network and block use of the running containers, one sample. For one container's processes:
    ssh_docker_top.
    """
    return await containers.rows(host, facts.Stats(containers.words(host)), StatsList, "containers")


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_system_df(host: RemoteHost) -> DiskCategoryList:
    """Show the disk space of images, containers, volumes and build cache, and what could be freed."""
    return await containers.rows(host, facts.SystemDf(containers.words(host)), DiskCategoryList, "categories")


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_events(
    host: RemoteHost,
    since: Annotated[str, Field(description="Duration before now (10m, 1h30m), RFC 3339 time or seconds")] = "1h",
    until: Annotated[str, Field(description="now or an RFC 3339 time")] = "now",
    filters: Annotated[list[str] | None, Field(max_length=20, description="Such as type=container")] = None,
) -> EventList:
    """List the engine's events (start, die, oom, pull and the like) of a past time span, oldest first. What containers
    print: ssh_docker_logs.
    """
    question = Events(
        containers.words(host),
        arguments.engine_time(since),
        arguments.engine_time(until),
        tuple(arguments.event_filter(f) for f in filters or ()),
    )
    return await containers.rows(host, question, EventList, "events")


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_inspect(
    host: RemoteHost,
    target: Annotated[str, Field(description="Name or ID")],
    kind: Literal["container", "image", "network", "volume"] = "container",
) -> Inspection:
    """Show the full configuration of a container, image, network or volume, secrets masked. For state alone
    ssh_docker_ps is shorter.
    """
    name = arguments.image(target) if kind == "image" else arguments.container(target)
    return await containers.rows(host, facts.Inspect(containers.words(host), kind, name), Inspection, "objects")


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_logs(
    host: RemoteHost,
    container: Container,
    *,
    tail: Tail = 50,
    since: Annotated[str | None, Field(description="Such as 10m or an RFC 3339 time")] = None,
    timestamps: bool = False,
    max_bytes: MaxBytes = containers.READ_END_BYTES,
) -> ExecResult:
    """Read the newest output of a container, stdout and stderr apart. All services of a project:
    ssh_docker_compose_logs.
    """
    question = containers.docker(
        host,
        f"logs --tail {tail}",
        *(("--timestamps",) if timestamps else ()),
        *(("--since", arg(arguments.engine_time(since))) if since is not None else ()),
        arg(arguments.container(container)),
    )
    return await containers.read_end(host, question, max_bytes)


@tool(group="docker", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_docker_top(
    host: RemoteHost,
    container: Container,
    ps_options: Annotated[str | None, Field(description="Such as aux or '-eo pid,comm'")] = None,
) -> ExecResult:
    """List the processes inside a running container. Of the host: ssh_host_processes."""
    options = [arg(word) for word in arguments.ps_options(ps_options)] if ps_options else []
    return await containers.look(host, containers.docker(host, "top", arg(arguments.container(container)), options))


# --- changes --------------------------------------------------------------------------------------------------------

_LIFECYCLE = {
    "start": "Start a stopped container.",
    "stop": "Stop a running container, first politely, then by force.",
    "restart": "Restart a container.",
}


def _lifecycle(verb: str, description: str) -> ToolFunction:
    async def run(host: RemoteHost, container: Container) -> ExecResult:
        return await containers.change(host, containers.docker(host, verb, arg(arguments.container(container))))

    run.__name__ = run.__qualname__ = f"ssh_docker_{verb}"
    run.__doc__ = description
    return tool(group="docker", tier=Tier.LOW_ACCESS, windows_instead=_WINDOWS, destructive=False, idempotent=True)(run)


for _verb, _description in _LIFECYCLE.items():
    _lifecycle(_verb, _description)


@tool(group="docker", tier=Tier.LOW_ACCESS, windows_instead=_WINDOWS, destructive=True, confirms=True)
async def ssh_docker_cp(
    host: RemoteHost,
    container: Container,
    *,
    container_path: str,
    host_path: str,
    direction: Literal["from_container", "to_container"],
    timeout: Timeout = None,
) -> ExecResult:
    """Copy a file or directory between a container and its host. Within the host: ssh_cp."""
    return await docker_run.copy(
        host,
        arguments.container(container),
        arguments.container_path(container_path),
        host_path,
        out=direction == "from_container",
        timeout=timeout,
    )


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, confirms=True)
async def ssh_docker_exec(
    host: RemoteHost,
    container: Container,
    command: str,
    timeout: Timeout = None,
    interactive: Annotated[bool, Field(description="Keep stdin open (it is empty)")] = False,
) -> ExecResult:
    """Run a command inside a running container, by its sh; decided like ssh_exec_run's, non-zero exit is data. In a new
    container: ssh_docker_run.
    """
    return await docker_run.execute(
        host, arguments.container(container), command, interactive=interactive, timeout=timeout
    )


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, confirms=True)
async def ssh_docker_run(
    host: RemoteHost,
    image: str,
    args: Annotated[
        list[str] | None, Field(max_length=200, description="docker run options, such as -p, 8080:80, -e, A=b")
    ] = None,
    name: str | None = None,
    *,
    command: Annotated[list[str] | None, Field(max_length=200, description="Program and arguments")] = None,
    remove: Annotated[bool, Field(description="Delete the container at its end")] = True,
    detached: bool = False,
    timeout: LongTimeout = None,
) -> ExecResult:
    """Create and run a new container, with a limited set of options and removed afterwards by default. A stopped one:
    ssh_docker_start; in a running one: ssh_docker_exec.
    """
    wanted = docker_run.Run(
        image=arguments.image(image),
        options=tuple(args or ()),
        name=None if name is None else arguments.container(name),
        command=tuple(command or ()),
        remove=remove,
        detached=detached,
    )
    return await docker_run.run(host, wanted, timeout)


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_pull(host: RemoteHost, image: str, timeout: LongTimeout = None) -> ExecResult:
    """Pull an image from its registry to the host. All images of a project: ssh_docker_compose_pull."""
    action = containers.docker(host, "pull --quiet", arg(arguments.image(image)))
    return await containers.change(host, action, timeout=containers.long_timeout(host, timeout))


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_rm(host: RemoteHost, container: Container, force: bool = False) -> ExecResult:
    """Remove a stopped container (force: a running one too); its volumes stay. All unused ones: ssh_docker_prune."""
    flags = ("--force",) if force else ()
    return await containers.change(host, containers.docker(host, "rm", *flags, arg(arguments.container(container))))


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_rmi(host: RemoteHost, image: str, force: bool = False) -> ExecResult:
    """Remove one image that nothing uses (force: although it has tags or stopped containers). All unused ones:
    ssh_docker_prune.
    """
    flags = ("--force",) if force else ()
    return await containers.change(host, containers.docker(host, "rmi", *flags, arg(arguments.image(image))))


@tool(group="docker", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_docker_prune(
    host: RemoteHost,
    scope: Literal["container", "image", "volume", "network", "system"] = "container",
    all_: Annotated[bool, Field(description="Every unused one: scopes image, volume, system")] = False,
) -> ExecResult:
    """Remove all unused containers, images, volumes or networks, or (system) these without volumes. See
    ssh_docker_system_df before; one by one: ssh_docker_rm, ssh_docker_rmi.
    """
    return await docker_run.prune(host, scope, everything=all_)
