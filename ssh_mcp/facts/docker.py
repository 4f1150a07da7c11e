"""Facts about a container engine: docker's rows as they are, podman's brought into docker's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssh_mcp.facts import json_rows as js
from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.facts.json_rows import Row
from ssh_mcp.results import docker as results
from ssh_mcp.tokens import Command, Token, arg, command, lit

AS_JSON = "--format '{{json .}}'"
SHORT_ID = 12


def engine(words: Sequence[str]) -> tuple[Token, ...]:
    """The operator's docker_cmd as words."""
    return tuple(arg(word) for word in words)


def filters(pairs: Sequence[tuple[str, str | None]]) -> tuple[Token, ...]:
    """``--filter key=value`` for every value that is set."""
    found: list[Token] = []
    for key, value in pairs:
        if value is not None:
            found += [lit("--filter"), arg(f"{key}={value}")]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Containers:
    """``docker ps``. ``pairs`` are filters by name; None values are left out."""

    docker: tuple[str, ...]
    everything: bool = False
    labels: bool = False
    pairs: tuple[tuple[str, str | None], ...] = ()

    def command(self) -> Command:
        return command(
            *engine(self.docker), "ps", AS_JSON, *(("--all",) if self.everything else ()), *filters(self.pairs)
        )

    def parse(self, output: str) -> Parsed[tuple[results.Container, ...]]:
        return js.rows("ps", output, self._row)

    def _row(self, row: Row) -> results.Container | None:
        identity = js.text(row, "ID", "Id")
        if not identity:
            return None
        podman = "Id" in row
        return results.Container(
            ID=identity[:SHORT_ID] if podman else identity,
            Names=js.text(row, "Names"),
            Image=js.text(row, "Image"),
            Command=js.words(row.get("Command")),
            CreatedAt=js.clock(row.get("Created")) if podman else js.text(row, "CreatedAt"),
            RunningFor=js.text(row, "CreatedAt") if podman else js.text(row, "RunningFor"),
            Status=js.text(row, "Status"),
            State=js.text(row, "State"),
            Ports=js.ports(row.get("Ports")),
            Size=js.text(row, "Size"),
            Mounts=js.text(row, "Mounts"),
            Networks=js.text(row, "Networks"),
            Labels=js.joined(row.get("Labels") or "") if self.labels else None,
        )


@dataclass(frozen=True, slots=True)
class Images:
    """``docker images``. docker's rows hold no labels: ``ImageLabels`` asks for them."""

    docker: tuple[str, ...]
    labels: bool = False
    reference: str | None = None
    dangling: bool | None = None
    label: str | None = None

    @property
    def filters(self) -> tuple[Token, ...]:
        dangling = None if self.dangling is None else str(self.dangling).lower()
        return filters((("reference", self.reference), ("dangling", dangling), ("label", self.label)))

    def command(self) -> Command:
        return command(*engine(self.docker), "images", AS_JSON, *self.filters)

    def parse(self, output: str) -> Parsed[tuple[results.Image, ...]]:
        return js.rows("images", output, self._row)

    def _row(self, row: Row) -> results.Image | None:
        identity = js.text(row, "ID", "Id").removeprefix("sha256:")[:SHORT_ID]
        if not identity:
            return None
        repository, tag = js.text(row, "Repository", "repository"), js.text(row, "Tag", "tag")
        if "Id" in row and not repository:
            repository, tag = _podman_name(row)
        return results.Image(
            ID=identity,
            Repository=repository,
            Tag=tag,
            Digest=js.text(row, "Digest"),
            CreatedAt=js.clock(row.get("Created")) or js.text(row, "CreatedAt"),
            CreatedSince=js.text(row, "CreatedSince"),
            Size=js.size(row.get("Size")),
            Labels=js.joined(row.get("Labels") or "") if self.labels else None,
        )


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """Short id to labels (``k=v,k=v``) of the images that ``images`` lists."""

    images: Images

    def command(self) -> Command:
        docker = engine(self.images.docker)
        return command(
            "i=$(", *docker, "images -q --no-trunc", *self.images.filters, "| sort -u);",
            '[ -z "$i" ] ||', *docker,
            "image inspect --format '{\"Id\":{{json .ID}},\"Labels\":{{json .Config.Labels}}}' $i",
        )  # fmt: skip

    def parse(self, output: str) -> Parsed[dict[str, str]]:
        problems = Problems("labels")
        found: dict[str, str] = {}
        for row in js.objects(output, problems):
            found[js.text(row, "Id").removeprefix("sha256:")[:SHORT_ID]] = js.joined(row.get("Labels") or "")
        return Parsed(found, problems.all())


def _podman_name(row: Row) -> tuple[str, str]:
    names = row.get("Names")
    name = str(names[0]) if isinstance(names, list) and names else ""
    repository, colon, tag = name.rpartition(":")
    if not name:
        return "<none>", "<none>"
    return (repository, tag) if colon and "/" not in tag else (name, "<none>")


@dataclass(frozen=True, slots=True)
class Volumes:
    """``docker volume ls``."""

    docker: tuple[str, ...]
    name: str | None = None

    def command(self) -> Command:
        return command(*engine(self.docker), "volume ls", AS_JSON, *filters((("name", self.name),)))

    def parse(self, output: str) -> Parsed[tuple[results.Volume, ...]]:
        return js.rows("volumes", output, self._row)

    @staticmethod
    def _row(row: Row) -> results.Volume | None:
        name = js.text(row, "Name")
        fields = {k: js.text(row, k) for k in ("Driver", "Scope", "Mountpoint", "Labels")}
        return results.Volume(Name=name, **fields) if name else None


_STATS = {
    "Name": ("Name", "name"),
    "CPUPerc": ("CPUPerc", "cpu_percent", "CPU"),
    "MemUsage": ("MemUsage", "mem_usage"),
    "MemPerc": ("MemPerc", "mem_percent"),
    "NetIO": ("NetIO", "net_io"),
    "BlockIO": ("BlockIO", "block_io"),
    "PIDs": ("PIDs", "pids"),
}


@dataclass(frozen=True, slots=True)
class Stats:
    """``docker stats``, one look."""

    docker: tuple[str, ...]

    def command(self) -> Command:
        return command(*engine(self.docker), "stats --no-stream", AS_JSON)

    def parse(self, output: str) -> Parsed[tuple[results.ContainerStats, ...]]:
        return js.rows("stats", output, self._row)

    @staticmethod
    def _row(row: Row) -> results.ContainerStats | None:
        identity = js.text(row, "ID", "id", "Container")
        fields = {name: js.text(row, *keys) for name, keys in _STATS.items()}
        return results.ContainerStats(ID=identity, **fields) if identity else None


@dataclass(frozen=True, slots=True)
class SystemDf:
    """``docker system df``."""

    docker: tuple[str, ...]

    def command(self) -> Command:
        return command(*engine(self.docker), "system df", AS_JSON)

    def parse(self, output: str) -> Parsed[tuple[results.DiskCategory, ...]]:
        return js.rows("system df", output, self._row)

    @staticmethod
    def _row(row: Row) -> results.DiskCategory | None:
        kind = js.text(row, "Type")
        if not kind:
            return None
        return results.DiskCategory(
            Type=kind,
            TotalCount=js.text(row, "TotalCount", "Total"),
            Active=js.text(row, "Active"),
            Size=js.size(row.get("Size")),
            Reclaimable=js.size(row.get("Reclaimable")),
        )


@dataclass(frozen=True, slots=True)
class Inspect:
    """``docker KIND inspect``."""

    docker: tuple[str, ...]
    kind: str
    target: str

    def command(self) -> Command:
        return command(*engine(self.docker), arg(self.kind), "inspect", arg(self.target))

    def parse(self, output: str) -> Parsed[tuple[Row, ...]]:
        return js.rows("inspect", output, lambda row: row)
