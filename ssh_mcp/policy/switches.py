"""What a host's entry in hosts.toml switches on or off as a whole. Pure."""

from __future__ import annotations

from ssh_mcp.errors import InvalidArgument, PathNotAllowed, PlatformNotSupported
from ssh_mcp.inventory.model import DevicePolicy, HostPolicy


def require_sync_delete(host: HostPolicy) -> None:
    """Raise PathNotAllowed where ssh_sync may not delete."""
    if not host.sync_delete:
        raise PathNotAllowed(
            f"Deleting by ssh_sync is off for {host.alias}.",
            "Synchronise without delete, or ask the operator to set sync_delete = true for the host in hosts.toml.",
        )


def require_shells(host: HostPolicy) -> None:
    """Raise InvalidArgument where no shell sessions may be opened."""
    if not host.persistent_session:
        raise InvalidArgument(
            f"{host.alias} has persistent_session = false in hosts.toml.", "Use ssh_exec_run, one command per call."
        )


def require_device(host: HostPolicy) -> DevicePolicy:
    """The policy of a network device. Raises PlatformNotSupported for another host."""
    if host.device is None:
        raise PlatformNotSupported(
            f"{host.alias} is not a network device.", "The operator names its system as platform in hosts.toml."
        )
    return host.device
