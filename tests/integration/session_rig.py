"""Shared by session and transport tests: an account with a quiet shell, a connection to it, looks at processes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil

from tests.integration.conftest import UserFactory
from tests.peers.sshd import Sshd, alive
from transports.openssh.connection import OpenSSHConnection
from transports.openssh.transport import OpenSSHTransport


def quiet_user(throwaway_users: UserFactory) -> str | None:
    """An account whose login shell reads no rc file; our own where we are not root."""
    return throwaway_users("quiet", "/bin/sh").name if os.geteuid() == 0 else None


@asynccontextmanager
async def connected(
    server: Sshd, control_dir: str, backend: str = "native", *, destination: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[OpenSSHConnection]:
    """A connection over a transport of its own, closed behind the test."""
    transport = OpenSSHTransport(server.transport_config(backend=backend, control_dir=control_dir, **config))
    try:
        yield transport.connection(server.destination(**(destination or {})))
    finally:
        await transport.aclose()


def running_on(server: Sshd, text: str) -> list[psutil.Process]:
    """Live processes of the server's sessions whose command line holds ``text``."""
    found = []
    for process in server.session_processes():
        try:
            if alive(process) and text in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def still_running(text: str) -> list[int]:
    """Live processes whose command line holds ``text``, wherever they hang now.

    As root only those of this test run's own accounts, whose names end in our process id: another run may be beside us.
    """
    ours = f"-{os.getpid()}" if os.geteuid() == 0 else ""
    found = []
    for process in psutil.process_iter():
        try:
            if text in " ".join(process.cmdline()) and process.username().endswith(ours) and alive(process):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return [pid for pid in found if pid != os.getpid()]
