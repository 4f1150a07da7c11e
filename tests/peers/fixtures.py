"""The ``lab`` fixture: what scripts/lab built, or a skip with the reason."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.engine import Engine
from tests.lab.needs import why_not
from tests.lab.places import here, read_state, run
from tests.peers import need


@contextmanager
def exclusive(part: str) -> Iterator[None]:
    """Hold one part of the lab alone: two test runs on one clone must not tidy up after each other."""
    path = here().state_dir / f"{part}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Lab:
    """Handles on the running lab; ``state`` is .lab/lab.json."""

    state: dict[str, Any]
    engine: Engine

    @property
    def systemd(self) -> dict[str, Any]:
        """Name, ssh_config, known_hosts, key, users and secrets of the systemd host."""
        host: dict[str, Any] = self.state["systemd"]
        return host

    @property
    def podman(self) -> dict[str, str]:
        """``cmd`` and perhaps ``compose``; skips the test where podman cannot run here."""
        need(self.state["podman"], "podman cannot run here")
        found: dict[str, str] = self.state["podman"]
        return found

    def docker(self, *argv: str) -> str:
        """Look at (or prepare) the engine behind the tools' back."""
        return self.engine.docker(*argv)

    def on_systemd_host(self, script: str, *, check: bool = True) -> str:
        """Run shell text as root in the systemd host, past ssh and past the program under test."""
        return run(
            *self.engine.command, "exec", "-i", self.systemd["container"], "sh", stdin=script, check=check, timeout=120
        )


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that ``scripts/lab up`` started; skips (or fails with SSH_MCP_REQUIRE_LAB=1) where there is none."""
    reason = why_not()
    need(reason is None, f"no lab: {reason}")
    places = here()
    state = read_state(places)
    need(state is not None, "no lab: run ./scripts/lab up")
    assert state is not None
    engine = Engine(places)
    need(engine.alive(), "the lab's Docker engine does not answer: run ./scripts/lab up")
    return Lab(state, engine)
