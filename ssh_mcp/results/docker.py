"""Results about containers. Row fields carry docker's own names; podman's rows are brought into the same shape."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from ssh_mcp.results.base import Result, Rows
from ssh_mcp.results.exec import ExecResult


class Container(Result):
    """A row of ``docker ps``. ``Labels`` (``k=v,k=v``) only where asked for."""

    ID: str
    Names: str = ""
    Image: str = ""
    Command: str = ""
    CreatedAt: str = ""
    RunningFor: str = ""
    Status: str = ""
    State: str = ""
    Ports: str = ""
    Size: str = ""
    Mounts: str = ""
    Networks: str = ""
    Labels: str | None = None


class Image(Result):
    """A row of ``docker images``."""

    ID: str
    Repository: str = ""
    Tag: str = ""
    Digest: str = ""
    CreatedAt: str = ""
    CreatedSince: str = ""
    Size: str = ""
    Labels: str | None = None


class Volume(Result):
    """A row of ``docker volume ls``."""

    Name: str
    Driver: str = ""
    Scope: str = ""
    Mountpoint: str = ""
    Labels: str = ""


class ContainerStats(Result):
    """A row of ``docker stats``."""

    ID: str
    Name: str = ""
    CPUPerc: str = ""
    MemUsage: str = ""
    MemPerc: str = ""
    NetIO: str = ""
    BlockIO: str = ""
    PIDs: str = ""


class DiskCategory(Result):
    """A row of ``docker system df``."""

    Type: str
    TotalCount: str = ""
    Active: str = ""
    Size: str = ""
    Reclaimable: str = ""


class EventActor(Result):
    """Whom an event is about."""

    ID: str = ""
    Attributes: dict[str, str] = Field(default_factory=dict)


class Event(Result):
    """One engine event. ``time`` is seconds since 1970, ``timeNano`` nanoseconds."""

    Type: str = ""
    Action: str = ""
    Actor: EventActor = Field(default_factory=EventActor)
    scope: str = ""
    time: int = 0
    timeNano: int = 0  # noqa: N815 - docker's name


class ComposeService(Result):
    """A row of ``docker compose ps``: one container of a service."""

    ID: str = ""
    Name: str = ""
    Service: str = ""
    Project: str = ""
    Image: str = ""
    Command: str = ""
    State: str = ""
    Status: str = ""
    Health: str = ""
    ExitCode: int | None = None
    Ports: str = ""
    Labels: str | None = None


class ContainerList(ExecResult):
    """``stdout`` stays empty where all of it became rows."""

    containers: list[Container] = Field(default_factory=list)


class ImageList(ExecResult):
    """Result of ssh_docker_images."""

    images: list[Image] = Field(default_factory=list)


class VolumeList(ExecResult):
    """Result of ssh_docker_volumes."""

    volumes: list[Volume] = Field(default_factory=list)


class StatsList(ExecResult):
    """Result of ssh_docker_stats."""

    containers: list[ContainerStats] = Field(default_factory=list)


class DiskCategoryList(ExecResult):
    """Result of ssh_docker_system_df."""

    categories: list[DiskCategory] = Field(default_factory=list)


class EventList(ExecResult):
    """Oldest first."""

    events: Annotated[list[Event], Rows.LAST] = Field(default_factory=list)


class ServiceList(ExecResult):
    """Result of ssh_docker_compose_ps."""

    services: list[ComposeService] = Field(default_factory=list)


class Inspection(ExecResult):
    """What the engine keeps about the object, in the engine's own shape."""

    objects: list[dict[str, JsonValue]] = Field(default_factory=list)
