"""What a compose file may ask for before containers are made from it, and which files of the host it names.

The file is read with a YAML reader that knows no tags, and compared with an allowlist of keys: what is not known is
refused by name. Values that decide about the host may hold no ``${…}``, because only compose knows what it becomes.
Paths are returned for path policy to decide about; relative ones are relative to the compose file's directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.values import has_control, shown
from ssh_mcp.policy import docker_run as run

MAX_BYTES: Final = 1024 * 1024
MAX_NODES: Final = 50_000
"""Values looked at, aliases counted each time: a few lines of YAML can expand to millions."""

TOP: Final = frozenset({"version", "name", "services", "volumes", "networks", "configs", "secrets"})
SERVICE_SAFE: Final = frozenset(
    {
        "attach", "blkio_config", "cap_drop", "command", "container_name", "cpu_count", "cpu_percent",
        "cpu_period", "cpu_quota", "cpu_shares", "cpus", "cpuset", "depends_on", "dns", "dns_opt", "dns_search",
        "domainname", "entrypoint", "environment", "expose", "extra_hosts", "healthcheck", "hostname", "image", "init",
        "labels", "links", "mac_address", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit",
        "pids_limit", "platform", "ports", "profiles", "pull_policy", "read_only", "restart", "scale", "shm_size",
        "stdin_open", "stop_grace_period", "stop_signal", "tmpfs", "tty", "ulimits", "user", "working_dir",
    }
)  # fmt: skip
SERVICE_REACHES: Final = frozenset(
    {
        "annotations", "cap_add", "cgroup", "cgroup_parent", "credential_spec", "device_cgroup_rules", "devices",
        "external_links", "gpus", "group_add", "ipc", "isolation", "oom_kill_disable", "oom_score_adj", "pid",
        "post_start", "pre_stop", "privileged", "provider", "runtime", "storage_opt", "sysctls", "use_api_socket",
        "userns_mode", "uts", "volume_driver", "volumes_from",
    }
)  # fmt: skip
BUILD_SAFE: Final = frozenset(
    {"args", "cache_from", "dockerfile_inline", "labels", "no_cache", "platforms", "pull", "shm_size", "tags", "target"}
)
_DEPLOY_SAFE: Final = frozenset(
    {"endpoint_mode", "labels", "mode", "placement", "replicas", "restart_policy", "rollback_config", "update_config"}
)

Node = Any


@dataclass(frozen=True, slots=True)
class ComposePlan:
    """Paths that the file names, as written: ``mounts`` go into containers, ``reads`` are read by compose itself."""

    mounts: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def decide_compose(text: str, *, creates: bool, privileged: bool) -> ComposePlan:
    """Decide about a compose file. ``creates``: containers or images may be made from it; else only what it
    makes compose read is decided about.

    Raises InvalidArgument, naming service and key.
    """
    reader = _ComposeReader(creates=creates, privileged=privileged)
    reader.top(_load(text))
    return ComposePlan(tuple(dict.fromkeys(reader.mounts)), tuple(dict.fromkeys(reader.reads)))


def _load(text: str) -> dict[str, Node]:
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidArgument(f"The compose file has more than {MAX_BYTES} bytes.", "Split it.")
    try:
        document = yaml.load(text, _Strict)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise InvalidArgument(f"The compose file cannot be checked: it is not plain YAML{where}.", "Fix it.") from None
    if not isinstance(document, dict):
        raise InvalidArgument("The compose file holds no mapping.", "Is it a compose file?")
    return document


class _Strict(yaml.SafeLoader):
    """Two equal keys in one mapping mean different things to different readers, and so are refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:  # also two "<<": which of them wins differs between readers
                raise yaml.YAMLError("duplicate key")
            seen.add(name)
        return super().construct_mapping(node, deep)


@dataclass(slots=True)
class _ComposeReader:
    creates: bool
    privileged: bool
    mounts: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    nodes: int = 0

    # --- the file ---------------------------------------------------------------------------------------------------

    def top(self, document: Mapping[Node, Node]) -> None:
        self._count(document)
        for key in document:
            if key == "include":
                self._refuse("include", "further files are not read")
            if key not in TOP and not str(key).startswith("x-") and self.creates:
                self._refuse(str(key), "it is not a known part of a compose file")
        for name, service in self._mapping(document, "services").items():
            self.service(str(name), service)
        for part, check in (("configs", self._file_source), ("secrets", self._file_source)):
            for name, value in self._mapping(document, part).items():
                check(f"{part}.{name}", value)
        if self.creates:
            for name, value in self._mapping(document, "volumes").items():
                self._named_volume(f"volumes.{name}", value)
            for name, value in self._mapping(document, "networks").items():
                self._network(f"networks.{name}", str(name), value)

    def _count(self, node: Node, depth: int = 0) -> None:
        """Bound the work: nodes as compose would see them, aliases opened."""
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > 60:
            raise InvalidArgument("The compose file is too large or too deep to be read.", "Split it.")
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            self._count(child, depth + 1)

    def _mapping(self, parent: Mapping[Node, Node], key: str) -> Mapping[Node, Node]:
        value = parent.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(key, "it is not a mapping")
        return value

    # --- services ---------------------------------------------------------------------------------------------------

    def service(self, name: str, service: Node) -> None:
        where = f"services.{name}"
        if not isinstance(service, dict):
            self._refuse(where, "it is not a mapping")
        for key, value in service.items():
            self._service_key(f"{where}.{key}", str(key), value)

    def _service_key(self, where: str, key: str, value: Node) -> None:
        reader = _READERS.get(key)
        if reader is not None:
            reader(self, where, value)
        if not self.creates or (reader is not None and key not in _CREATORS):
            return
        creator = _CREATORS.get(key)
        if creator is not None:
            creator(self, where, value)
        elif key in SERVICE_REACHES:
            if not (value is False or value in (None, [], {})):
                self._reaches(where)
        elif key not in SERVICE_SAFE and not key.startswith("x-"):
            self._refuse(where, "it is not on the list of permitted settings")

    def env_file(self, where: str, value: Node) -> None:
        for entry in value if isinstance(value, list) else [value]:
            self._read(where, entry.get("path") if isinstance(entry, dict) else entry)

    def extends(self, where: str, value: Node) -> None:
        if isinstance(value, dict) and "file" in value:
            self._refuse(f"{where}.file", "further files are not read")

    def label_file(self, where: str, value: Node) -> None:
        for entry in value if isinstance(value, list) else [value]:
            self._read(where, entry)

    def _file_source(self, where: str, value: Node) -> None:
        """A config or secret from a file of the host, or from the environment of compose."""
        if not isinstance(value, dict):
            return
        if "file" in value:
            self._read(f"{where}.file", value["file"])
        if self.creates and not set(value) <= {"file", "environment", "content", "external", "name", "labels"}:
            self._refuse(where, "it holds a setting that is not permitted")

    def volumes(self, where: str, value: Node) -> None:
        for entry in self._list(where, value):
            if isinstance(entry, str):
                self._short_volume(where, entry)
            elif isinstance(entry, dict):
                self._long_volume(where, entry)
            else:
                self._refuse(where, "an entry is neither text nor a mapping")

    def _short_volume(self, where: str, entry: str) -> None:
        self._literal(where, entry)
        source, _, options = run.split_volume(entry)
        for option in options:
            run.check_volume_option(option, where, privileged=self.privileged)
        if source is not None:
            self._source(where, source)

    def _source(self, where: str, source: str) -> None:
        if source.startswith("~"):
            self._refuse(where, "~ is not expanded")
        if source.startswith(("/", ".")):
            run.check_socket(source, privileged=self.privileged)
            self.mounts.append(source)
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", source):
            self._refuse(where, f"{shown(source)} is neither a path nor a volume's name")

    def _long_volume(self, where: str, entry: Mapping[Node, Node]) -> None:
        kind, source = entry.get("type"), entry.get("source")
        self._literal(where, str(kind))
        if kind not in ("bind", "volume", "tmpfs"):
            self._refuse(f"{where}.type", "types are bind, volume and tmpfs")
        known = {"type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"}
        if not set(entry) <= known:
            self._refuse(where, "it holds a setting that is not permitted")
        bind = entry.get("bind") or {}
        if not isinstance(bind, dict) or (not set(bind) <= {"create_host_path", "selinux"} and not self.privileged):
            self._reaches(f"{where}.bind")
        if kind == "bind":
            if not isinstance(source, str) or not source.startswith(("/", ".", "~")):
                self._refuse(f"{where}.source", "a bind mount's source is a path")
            self._literal(where, source)
            self._source(where, source)
        elif kind == "volume" and source is not None:
            self._literal(where, str(source))
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", str(source)):
                self._refuse(f"{where}.source", "it is not a volume's name")

    def build(self, where: str, value: Node) -> None:
        build = {"context": value} if isinstance(value, str) else value
        if not isinstance(build, dict):
            self._refuse(where, "it is neither a path nor a mapping")
        for key, inner in build.items():
            if key in ("context", "dockerfile"):
                self._literal(f"{where}.{key}", inner)
                if key == "context" and re.match(r"\w+://|git@|github\.com/|[^/.][^/]*:", str(inner)):
                    self._refuse(f"{where}.{key}", "only a directory of the host can be decided")
            elif key == "network" and isinstance(inner, str) and not run.foreign_network(inner):
                continue
            elif key not in BUILD_SAFE and not self.privileged:
                self._reaches(f"{where}.{key}")
        context = str(build.get("context", "."))
        self.mounts.append(context if context.startswith(("/", ".")) else f"./{context}")
        dockerfile = build.get("dockerfile")
        if isinstance(dockerfile, str):
            self.reads.append(dockerfile if dockerfile.startswith("/") else f"{self.mounts[-1]}/{dockerfile}")

    def network_mode(self, where: str, value: Node) -> None:
        self._literal(where, value)
        text = str(value)
        if text.startswith("service:") or text in ("none", "bridge"):
            return
        if run.foreign_network(text) and not self.privileged:
            self._reaches(f"{where}: {text}")

    def networks(self, where: str, value: Node) -> None:
        names = value if isinstance(value, (list, dict)) else []
        for name in names:
            self._literal(where, name)
            if run.foreign_network(str(name)) and not self.privileged:
                self._reaches(f"{where}: {name}")

    def security_opt(self, where: str, value: Node) -> None:
        for entry in self._list(where, value):
            if not run.harmless_security(str(entry)) and not self.privileged:
                self._reaches(f"{where}: {entry}")

    def logging(self, where: str, value: Node) -> None:
        driver = value.get("driver", "json-file") if isinstance(value, dict) else None
        options = (value.get("options") or {}) if isinstance(value, dict) else {}
        if driver not in run.LOG_DRIVERS and not self.privileged:
            self._refuse(f"{where}.driver", f"drivers are {', '.join(run.LOG_DRIVERS)}")
        if not isinstance(options, dict) or not set(options) <= {"max-size", "max-file", "compress", "tag"}:
            self._refuse(f"{where}.options", "options are max-size, max-file, compress and tag")

    def deploy(self, where: str, value: Node) -> None:
        if not isinstance(value, dict):
            self._refuse(where, "it is not a mapping")
        for key, inner in value.items():
            if key == "resources":
                reserved = (inner or {}).get("reservations") if isinstance(inner, dict) else None
                if isinstance(reserved, dict) and set(reserved) - {"cpus", "memory", "pids"} and not self.privileged:
                    self._reaches(f"{where}.resources.reservations")
            elif key not in _DEPLOY_SAFE:
                self._refuse(f"{where}.{key}", "it is not on the list of permitted settings")

    def mounted_sources(self, where: str, value: Node) -> None:
        """``configs`` and ``secrets`` of a service: names of top-level entries, which are decided there."""
        for entry in self._list(where, value):
            if isinstance(entry, dict) and not set(entry) <= {"source", "target", "uid", "gid", "mode"}:
                self._refuse(where, "it holds a setting that is not permitted")

    # --- volumes and networks ---------------------------------------------------------------------------------------

    def _named_volume(self, where: str, value: Node) -> None:
        if value is None:
            return
        if not isinstance(value, dict):
            self._refuse(where, "it is not a mapping")
        if value.get("driver_opts") and not self.privileged:
            self._reaches(f"{where}.driver_opts")
        if value.get("driver", "local") != "local" and not self.privileged:
            self._reaches(f"{where}.driver")
        if not set(value) <= {"name", "external", "labels", "driver", "driver_opts"}:
            self._refuse(where, "it holds a setting that is not permitted")

    def _network(self, where: str, key: str, value: Node) -> None:
        options = value or {}
        if not isinstance(options, dict):
            self._refuse(where, "it is not a mapping")
        if self.privileged:
            return
        external = options.get("external")
        names = [key, options.get("name"), external.get("name") if isinstance(external, dict) else None]
        for name in names:
            self._literal(where, name or "")
            if name is not None and run.foreign_network(str(name)):
                self._reaches(f"{where}: {name}")
        if options.get("driver", "bridge") not in ("bridge", "overlay"):
            self._reaches(f"{where}.driver")
        driver_opts = options.get("driver_opts") or {}
        known = {"name", "external", "driver", "driver_opts", "internal", "attachable", "labels", "ipam", "enable_ipv6"}
        if not isinstance(driver_opts, dict) or driver_opts or not set(options) <= known:
            self._reaches(f"{where}.driver_opts" if driver_opts else where)

    # --- small things -----------------------------------------------------------------------------------------------

    def _list(self, where: str, value: Node) -> list[Node]:
        if value is None:
            return []
        if not isinstance(value, list):
            self._refuse(where, "it is not a list")
        return value

    def _read(self, where: str, path: Node) -> None:
        if path is None:
            return
        self._literal(where, path)
        text = str(path)
        if text.startswith("~"):
            self._refuse(where, "~ is not expanded")
        self.reads.append(text if text.startswith(("/", ".")) else f"./{text}")

    def _literal(self, where: str, value: Node) -> None:
        """A value that decides about the host must say so itself."""
        text = str(value)
        if "$" in text.replace("$$", ""):
            self._refuse(where, "a variable in it cannot be decided")
        if has_control(text):
            self._refuse(where, "it holds control characters")

    def _refuse(self, where: str, why: str) -> NoReturn:
        raise InvalidArgument(f"The compose file's {shown(where)} is refused: {why}.", "Change the file.")

    def _reaches(self, where: str) -> None:
        if not self.privileged:
            raise InvalidArgument(
                f"The compose file's {shown(where)} is refused because it reaches the host.",
                "The operator would have to set ALLOW_DOCKER_PRIVILEGED.",
            )


_Rule = Callable[[_ComposeReader, str, Node], None]

_READERS: Final[Mapping[str, _Rule]] = {
    "env_file": _ComposeReader.env_file,
    "extends": _ComposeReader.extends,
    "label_file": _ComposeReader.label_file,
}
"""Settings that make compose itself read files, whatever it is asked to do."""

_CREATORS: Final[Mapping[str, _Rule]] = {
    "volumes": _ComposeReader.volumes,
    "build": _ComposeReader.build,
    "network_mode": _ComposeReader.network_mode,
    "networks": _ComposeReader.networks,
    "security_opt": _ComposeReader.security_opt,
    "logging": _ComposeReader.logging,
    "deploy": _ComposeReader.deploy,
    "configs": _ComposeReader.mounted_sources,
    "secrets": _ComposeReader.mounted_sources,
}
"""Settings whose value decides. Every other one is permitted or refused by its name."""
