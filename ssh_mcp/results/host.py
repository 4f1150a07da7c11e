"""Results about the machine behind a host."""

from __future__ import annotations

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled


class HostCapabilities(Result):
    """What tools can use there. ``posix`` false: no shell runs commands for this login; ``why`` says how it refused,
    ``sftp`` whether SFTP works, ``instead`` what to use.
    """

    posix: bool
    why: str = ""
    sftp: bool | None = None
    instead: str = ""
    kernel: str = ""
    init: str | None = None
    package_manager: str | None = None
    elevation: str | None = None
    dialects: dict[str, str] = Field(default_factory=dict)
    programs: list[str] = Field(default_factory=list)


class HostInfo(Spooled):
    """What the machine is. A field is null where the host did not report it."""

    host: Ours
    uname: str | None = None
    os_release: dict[str, str] = Field(default_factory=dict)
    uptime: str | None = None
    cpu_model: str | None = None
    cpu_count: int | None = None
    hostname_fqdn: str | None = None
    capabilities: HostCapabilities | None = None


class DiskUsageEntry(Result):
    """Sizes as ``df -h`` writes them, and the same in bytes."""

    filesystem: str
    type: str
    size: str
    used: str
    available: str
    use_percent: str
    mount: str
    size_bytes: int
    used_bytes: int
    available_bytes: int


class HostDiskUsage(Spooled):
    """Result of ssh_host_disk_usage."""

    host: Ours
    entries: list[DiskUsageEntry] = Field(default_factory=list)


class NetworkInterfaceAddress(Result):
    """``family`` is inet or inet6."""

    family: str
    address: str
    prefix_length: int


class NetworkInterfaceEntry(Result):
    """One interface."""

    name: str
    state: str
    mac: str | None = None
    addresses: list[NetworkInterfaceAddress] = Field(default_factory=list)


class HostNetwork(Spooled):
    """Result of ssh_host_network."""

    host: Ours
    interfaces: list[NetworkInterfaceEntry] = Field(default_factory=list)


class ProcessEntry(Result):
    """``pcpu`` is processor time over lifetime, ``pmem`` resident memory over all memory, both in percent."""

    pid: int
    user: str
    pcpu: float
    pmem: float
    command: str


class HostProcesses(Spooled):
    """Busiest first. ``total`` counts all processes, ours excepted."""

    host: Ours
    entries: list[ProcessEntry] = Field(default_factory=list)
    total: int = 0


class AlertBreach(Result):
    """``severity`` is warning or critical. Percentages are 0 to 100."""

    metric: Ours
    threshold: float
    current: float
    severity: Ours
    detail: str


class HostAlerts(Spooled):
    """``metrics`` holds what was measured whether or not a limit is set: load_avg_1min, mem_free_percent, disks."""

    host: Ours
    breaches: list[AlertBreach] = Field(default_factory=list)
    metrics: dict[str, float | list[dict[str, float | str]]] = Field(default_factory=dict)


class UserInfo(Spooled):
    """One account, as in passwd(5), with its groups."""

    host: Ours
    username: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str
    primary_group: str
    groups: list[str] = Field(default_factory=list)
