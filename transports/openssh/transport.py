"""The transport (``transports.api.Transport``): all hosts, over the system's own OpenSSH."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import anyio

from transports.api import Destination, Effective, HostKeyCheck, SessionStatus, TransportConfig
from transports.openssh.connection import OpenSSHConnection
from transports.openssh.masters.master import MasterLauncher
from transports.openssh.sessions.session import BackendName


def choose_backend(config: TransportConfig) -> BackendName:
    """What ``auto`` means here: native where descriptors can be passed, else process; direct on Windows.

    Windows' OpenSSH has no masters at all; Cygwin's Python has Unix sockets that carry no descriptors.
    """
    if config.backend != "auto":
        return config.backend
    if os.name != "posix":
        return "direct"
    return "native" if hasattr(socket, "send_fds") and sys.platform != "cygwin" else "process"


class OpenSSHTransport:
    """One per server process. Nothing happens before the first call."""

    def __init__(self, config: TransportConfig) -> None:
        self._config = config
        self._backend = choose_backend(config)
        self._launcher = MasterLauncher(config)
        self._connections: dict[Destination, OpenSSHConnection] = {}

    @property
    def backend(self) -> BackendName:
        """How sessions are made."""
        return self._backend

    def connection(self, destination: Destination) -> OpenSSHConnection:
        connection = self._connections.get(destination)
        if connection is None:
            connection = OpenSSHConnection(destination, self._config, self._launcher, self._backend)
            self._connections[destination] = connection
        return connection

    async def effective(self, destination: Destination) -> Effective:
        return await self._launcher.effective(destination)

    async def verify_host_key(self, destination: Destination) -> HostKeyCheck:
        return await self._launcher.verify_host_key(destination)

    def sessions(self) -> tuple[SessionStatus, ...]:
        return tuple(status for connection in self._connections.values() for status in connection.sessions())

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):  # every part of it is bounded by itself
            await asyncio.gather(*(connection.aclose() for connection in self._connections.values()))
            self._connections.clear()
            await self._launcher.release()
