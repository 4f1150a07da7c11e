"""The lab itself: what the other integration tests stand on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory, UserFactory
from tests.peers.accounts import make_chroot
from tests.peers.agent import Agent
from tests.peers.sshd import LEGACY_CLIENT_OPTIONS, Sshd, client_key, fingerprint


def ssh(server: Sshd, command: str, *options: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={server.known_hosts}",
         "-o", "GlobalKnownHostsFile=none", "-i", str(server.key), "-o", "IdentitiesOnly=yes", *options,
         "-p", str(server.port), "-l", user or server.user, "--", server.address, command],
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20,
    )  # fmt: skip


def test_a_lab_server_accepts_the_client_key_and_counts_logins(sshd: Sshd) -> None:
    assert ssh(sshd, "echo hello").stdout == "hello\n"
    assert sshd.logins() == 1
    assert sshd.host_key_fingerprint.startswith("SHA256:")


def test_killing_the_sessions_leaves_the_listener(sshd: Sshd) -> None:
    busy = subprocess.Popen(
        ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={sshd.known_hosts}", "-i", str(sshd.key), "-p",
         str(sshd.port), sshd.address, "echo up; exec sleep 60"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == b"up\n"
        assert sshd.kill_sessions() >= 2
        assert busy.wait(10) == 255
    assert ssh(sshd, "true").returncode == 0


def test_a_legacy_server_wants_legacy_options(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(legacy=True)
    assert "no matching" in ssh(server, "true").stderr
    options = [f"-o{key}={value}" for key, value in LEGACY_CLIENT_OPTIONS]
    assert ssh(server, "true", *options).returncode == 0


@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/fish", "/bin/csh"])
def test_accounts_with_other_login_shells_log_in(shared_sshd: Sshd, throwaway_users: UserFactory, shell: str) -> None:
    account = throwaway_users(Path(shell).name, shell)
    assert ssh(shared_sshd, "echo $HOME", user=account.name).stdout == f"{account.home}\n"


def test_a_chrooted_login_gets_sftp_only(sshd_factory: SshdFactory) -> None:
    root = make_chroot()
    try:
        server = sshd_factory(chroot=root)
        assert "sftp connections only" in ssh(server, "true").stdout
    finally:
        root.rmdir()


def test_an_agent_holds_what_was_added(ssh_agent: Agent, sshd: Sshd) -> None:
    ssh_agent.add(client_key())
    listed = subprocess.run(
        ["ssh-add", "-l"], env={"SSH_AUTH_SOCK": ssh_agent.socket}, check=True, capture_output=True, text=True
    )
    assert fingerprint(client_key().with_suffix(".pub")) in listed.stdout
