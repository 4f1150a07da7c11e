"""Throwaway accounts with real sudo rules: files in /etc/sudoers.d and /etc/pam.d that are removed after the test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.mcp_server import Host
from tests.peers import need
from tests.peers.accounts import PREFIX, Account
from tests.peers.sshd import Sshd

PASSWORD = "canary pass'word \\ äöü 4711"
"""Blanks, a quote, a backslash and more than ASCII: whatever passes it on must not interpret it."""

WITH_PASSWORD = "{user} ALL=(ALL:ALL) ALL"
NOPASSWD = "{user} ALL=(ALL:ALL) NOPASSWD: ALL"

SudoUser = Callable[..., Account]


@pytest.fixture
def sudo_user(throwaway_users: Callable[..., Account], monkeypatch: pytest.MonkeyPatch) -> Iterator[SudoUser]:
    """``sudo_user(WITH_PASSWORD, "Defaults:{user} requiretty")``: an account that has just these rules.

    The keyring of this process has nothing, until a test says otherwise.
    """
    need(os.geteuid() == 0, "sudo rules need root")
    need(shutil.which("sudo") and shutil.which("visudo"), "sudo is not installed")
    _sweep()
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    made: list[Path] = []

    def make(*rules: str, pam: str | None = None) -> Account:
        # dash as login shell: root's own start-up files are none of the test's business
        account = throwaway_users("sudo", "/bin/sh", PASSWORD)
        lines = [rule.format(user=account.name) for rule in rules]
        if pam is not None:
            service = Path(f"/etc/pam.d/{account.name}")
            service.write_text(pam)
            made.append(service)
            lines.append(f"Defaults:{account.name} pam_service={account.name}")
        if lines:
            file = Path(f"/etc/sudoers.d/{account.name}")
            file.touch(mode=0o440)
            file.write_text("\n".join(lines) + "\n")
            made.append(file)
            subprocess.run(["visudo", "-cqf", str(file)], check=True)
        return account

    yield make
    for file in made:
        file.unlink(missing_ok=True)


def _sweep() -> None:
    """Remove the rules that a killed test run left behind."""
    for directory in ("/etc/sudoers.d", "/etc/pam.d"):
        for file in Path(directory).glob(f"{PREFIX}sudo-*"):
            owner = file.name.rpartition("-")[2]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                file.unlink(missing_ok=True)


def host_of(account: Account, sshd: Sshd) -> Host:
    """The account as a host of hosts.toml."""
    return Host(sshd, user=account.name)


def password_command(tmp_path: Path, password: str = PASSWORD) -> str:
    """A value for SSH_SUDO_PASSWORD_CMD: the secret itself is in a file, in no argv."""
    secret = tmp_path / "sudo-password"
    secret.write_text(password + "\n")
    return f"cat {secret}"
