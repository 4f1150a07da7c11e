"""Settings of the operator's ssh_config neither undo hosts.toml nor change the text that is read here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.peers.agent import Agent
from tests.peers.sshd import Sshd, client_key, fingerprint, keygen
from transports.api import Auth, AuthMethod
from transports.errors import UnknownHost
from transports.openssh.masters.master import MasterLauncher


def launcher_with(server: Sshd, control_dir: str, tmp_path: Path, text: str) -> MasterLauncher:
    config = tmp_path / "operators_config"
    config.write_text(text)
    return MasterLauncher(server.transport_config(control_dir=control_dir, ssh_config_file=str(config)))


async def test_fingerprints_are_sha256_and_a_pinned_key_works_where_ssh_config_wants_md5(
    sshd: Sshd, control_dir: str, tmp_path: Path, ssh_agent: Agent
) -> None:
    ssh_agent.add(client_key())
    pinned = fingerprint(client_key().with_suffix(".pub"))
    auth = Auth(method=AuthMethod.AGENT, identity_agent=ssh_agent.socket, identity_fingerprint=pinned)
    launcher = launcher_with(sshd, control_dir, tmp_path, "FingerprintHash md5\n")
    handle = await launcher.ensure(sshd.destination(auth=auth))
    assert handle.login.host_key_fingerprint == sshd.host_key_fingerprint
    await launcher.release()
    sshd.known_hosts.write_text("")
    with pytest.raises(UnknownHost, match="SHA256:") as caught:
        await launcher.ensure(sshd.destination(auth=auth))
    assert "MD5" not in str(caught.value)


@pytest.mark.parametrize("text", ["PreferredAuthentications password\n", "PubkeyAuthentication no\n"])
@pytest.mark.parametrize("method", [AuthMethod.KEY, AuthMethod.AUTO])
async def test_a_key_of_hosts_toml_is_used_whatever_ssh_config_prefers(
    sshd: Sshd, control_dir: str, tmp_path: Path, text: str, method: AuthMethod
) -> None:
    launcher = launcher_with(sshd, control_dir, tmp_path, text)
    handle = await launcher.ensure(sshd.destination(auth=Auth(method=method, key=str(client_key()))))
    assert handle.login.auth_method == "publickey"
    await launcher.release()


async def test_a_key_opened_by_a_command_does_not_end_up_in_the_agent(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, ssh_agent: Agent
) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    server = sshd_factory(authorized_keys=Path(f"{key}.pub").read_text())
    launcher = launcher_with(server, control_dir, tmp_path, "AddKeysToAgent yes\n")
    auth = Auth(method=AuthMethod.KEY, key=str(key), passphrase_cmd="echo open sesame", identity_agent=ssh_agent.socket)
    assert (await launcher.ensure(server.destination(auth=auth))).login.auth_method == "publickey"
    await launcher.release()
    held = subprocess.run(
        ["ssh-add", "-l"], check=False, capture_output=True, text=True,
        env={"SSH_AUTH_SOCK": ssh_agent.socket, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "no identities" in held.stdout
