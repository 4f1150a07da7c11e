"""Fixtures for all tests: no test reads the user's own ~/.ssh, agent or configuration."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Two cores with hundreds of sshds on them: slowness says nothing. CI draws the same examples each time; people explore.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")) or os.environ.get("SSH_MCP_REQUIRE_LAB") == "1",
)
settings.load_profile("house")

# Under nohup(1), or behind a script's "&", every process that a test starts would ignore these; some tests are about
# just that. A handler of our own changes nothing here, and what is started has the default again.
for _name in ("SIGHUP", "SIGINT", "SIGQUIT"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda _number, _frame: None)


@pytest.fixture(autouse=True)
def _away_from_the_users_own_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME and the XDG directories point at an empty place, and no agent or SSH_*, ALLOW_*, MCP_* setting leaks in."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("SSH_", "ALLOW_", "MCP_", "XDG_")) and name != "SSH_MCP_REQUIRE_LAB":
            monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return


@pytest.fixture(scope="session")
def project_root() -> Path:
    return Path(__file__).resolve().parent.parent
