"""HostPolicy and Settings → what the transport wants to know."""

from __future__ import annotations

import os
from pathlib import Path

from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.settings.model import Settings
from transports.api import Destination, TransportConfig


def to_destination(policy: HostPolicy, settings: Settings) -> Destination:
    """One host for the transport. Fields that the operator left open stay None, so that ssh_config can fill them.

    SSH_DEFAULT_USER and SSH_DEFAULT_KEY come after ssh_config and are part of ``transport_config``.
    """
    return Destination(
        name=policy.ssh_name,
        hostname=policy.hostname if policy.hostname_given else None,
        user=policy.user,
        port=policy.port,
        auth=policy.auth,
        jump=tuple(to_destination(hop, settings) for hop in policy.jump),
        options=policy.ssh_options,
        windows=policy.windows,
    )


def transport_config(settings: Settings) -> TransportConfig:
    """What holds for all hosts. Paths are absolute, because ssh is not started in our working directory."""
    return TransportConfig(
        ssh_config_file=_existing(settings.ssh_config_file),
        known_hosts_file=_absolute(settings.ssh_known_hosts),
        default_user=settings.ssh_default_user,
        default_key=_absolute(settings.ssh_default_key),
        connect_timeout=settings.ssh_connect_timeout,
        idle_timeout=settings.ssh_idle_timeout,
        keepalive_interval=settings.ssh_keepalive_interval,
        max_connections_per_host=settings.ssh_max_connections_per_host,
        backend=settings.ssh_transport,
    )


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _existing(path: str | None) -> str | None:
    """A missing SSH_CONFIG_FILE is a warning of ``load_settings``; ssh itself would refuse the Include of none.

    ``/dev/null`` is kept: it means an empty ssh_config instead of ssh's own files.
    """
    return _absolute(path) if path and (path == os.devnull or Path(path).is_file()) else None
