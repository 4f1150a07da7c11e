"""What is loaded ahead while nobody waits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ssh_mcp.server import preload

_SCRIPT = """
import os, sys, anyio
from ssh_mcp.server.app import build
from ssh_mcp.server.preload import preload
from ssh_mcp.settings.model import load_settings
app = build(load_settings()[0])
assert "transports.openssh.transport" not in sys.modules
anyio.run(preload, app.fleet, 0.0)
for name in {modules!r}:
    assert name in sys.modules, name
print("loaded")
"""


def run(tmp_path: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    hosts = tmp_path / "hosts.toml"
    hosts.write_text('[hosts.a]\nhostname = "127.0.0.1"\n')
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SSH_HOSTS_FILE": str(hosts), **extra}
    script = _SCRIPT.format(modules=preload._MODULES)
    return subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)


def test_the_modules_of_the_first_calls_are_there_afterwards(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr


def test_a_missing_ssh_is_left_for_the_first_call_to_tell(tmp_path: Path) -> None:
    done = run(tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr


@pytest.mark.parametrize("name", preload._MODULES)
def test_every_module_named_exists(name: str) -> None:
    assert __import__(name)
