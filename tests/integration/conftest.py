"""Fixtures over the lab: servers, accounts, an agent and a short socket directory, each removed after the test."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.mcp_server import mcp_server  # noqa: F401 - a fixture
from tests.peers.accounts import Account, make_user, remove_user
from tests.peers.agent import Agent, start_agent
from tests.peers.fixtures import lab  # noqa: F401
from tests.peers.sshd import Sshd, kill_all, start_sshd

SshdFactory = Callable[..., Sshd]
UserFactory = Callable[..., Account]


@pytest.fixture
def sshd_factory(tmp_path: Path) -> Iterator[SshdFactory]:
    """``sshd_factory(max_sessions=3)`` starts a server that is stopped after the test."""
    started: list[Sshd] = []

    def start(**options: Any) -> Sshd:
        server = start_sshd(tmp_path, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def sshd(sshd_factory: SshdFactory) -> Sshd:
    """A server with default settings for this test alone."""
    return sshd_factory()


@pytest.fixture(scope="session")
def shared_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server with default settings for all tests that leave it as it is."""
    with start_sshd(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture(scope="session")
def throwaway_users() -> Iterator[UserFactory]:
    """``throwaway_users("fish", "/usr/bin/fish")`` makes a throwaway account, once a test run for equal arguments."""
    made: dict[tuple[str, str, str | None], Account] = {}

    def make(label: str, shell: str, password: str | None = None) -> Account:
        key = (label, shell, password)
        if key not in made:
            made[key] = make_user(label, shell, password=password)
        return made[key]

    yield make
    for account in made.values():
        remove_user(account)


@pytest.fixture
def ssh_agent() -> Iterator[Agent]:
    """An empty agent; it is *not* in SSH_AUTH_SOCK unless the test puts it there."""
    agent = start_agent()
    yield agent
    agent.stop()


@pytest.fixture
def control_dir() -> Iterator[str]:
    """A private, short directory for control sockets; masters still there after the test are ended."""
    path = Path(tempfile.mkdtemp(prefix="smcp-c-", dir="/tmp"))
    yield str(path)
    end_masters(path)
    shutil.rmtree(path, ignore_errors=True)


def masters_of(directory: Path | str) -> list[psutil.Process]:
    """Live ssh master processes whose sockets lie in ``directory``; ssh writes the path into its process title."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if process.name() == "ssh" and str(directory) in line:
                found.append(process)
    return found


def end_masters(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_socket():
            subprocess.run(
                ["ssh", "-F", "none", "-S", str(path), "-O", "exit", "x"], check=False, capture_output=True, timeout=10
            )
    kill_all(masters_of(directory))
