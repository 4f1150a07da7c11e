"""The remote process table, seen from outside: the lab's hosts are this machine."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import psutil
import pytest

from tests.peers.sshd import alive, kill_all, wait_until

SECONDS = 30.0
"""How long a busy machine may take for a login and a process, or for the end of one."""


class Trace:
    """A number that no other process has in its arguments: ``trace.sleep`` is a command that can be found by it."""

    def __init__(self) -> None:
        self.number = str(random.randrange(10**8, 10**9))

    @property
    def sleep(self) -> str:
        return f"sleep {self.number}"

    def processes(self) -> list[psutil.Process]:
        """Every live process that carries the number in its arguments."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(self.number in word for word in process.cmdline()) and alive(process):
                    found.append(process)
        return found

    def wait_for(self, count: int = 1) -> list[psutil.Process]:
        """The processes, once there are at least ``count``."""
        wait_until(lambda: len(self.processes()) >= count, f"{count} processes with {self.number}", timeout=SECONDS)
        return self.processes()

    def wait_gone(self) -> None:
        """Until none is left: signals have been sent by now, but a process takes its moment to die."""
        wait_until(lambda: not self.processes(), f"the end of all processes with {self.number}", timeout=SECONDS)


@pytest.fixture
def trace() -> Iterator[Trace]:
    """A fresh number; what still carries it after the test is killed."""
    made = Trace()
    yield made
    kill_all(made.processes())


def carriers(secret: str) -> list[str]:
    """Where ``secret`` occurs in any process's arguments or environment on this machine, as readable places."""
    needle = secret.encode()
    found = []
    for process in psutil.process_iter():
        for part in ("cmdline", "environ"):
            with contextlib.suppress(OSError), open(f"/proc/{process.pid}/{part}", "rb") as file:
                if needle in file.read():
                    found.append(f"{part} of {process.pid}")
    return found
