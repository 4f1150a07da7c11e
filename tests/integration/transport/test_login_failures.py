"""Logins that fail name the file, the prompt or the state of the account, and what to do next."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory, UserFactory
from tests.peers.agent import Agent
from tests.peers.sshd import Sshd, client_key, keygen, run
from transports.api import Auth, AuthMethod, Destination
from transports.errors import AuthenticationFailed, SessionRefused, SFTPSubsystemUnavailable
from transports.openssh.masters.master import MasterLauncher
from transports.openssh.transport import OpenSSHTransport


async def refused(server: Sshd, control_dir: str, host: Destination) -> AuthenticationFailed:
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir))
    with pytest.raises(AuthenticationFailed) as caught:
        await launcher.ensure(host)
    await launcher.release()
    return caught.value


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("no_last_newline", "lacks the line end after its last line", "echo >>"),
        ("crlf", "has Windows line ends", "dos2unix"),
        ("putty", "is in PuTTY's format", "puttygen"),
        ("public", "is a public key", "no .pub"),
        ("bom", "begins with a byte order mark", "plain ASCII"),
        ("cut", "is cut off: its END line is missing", "with its last line"),
        ("empty", "is empty", "Copy the private key"),
        ("text", "is not a private key that this ssh can read", "ssh-keygen -y"),
    ],
)
async def test_a_key_file_that_ssh_cannot_load_is_named_with_its_fault(
    shared_sshd: Sshd, control_dir: str, tmp_path: Path, name: str, what: str, remedy: str
) -> None:
    whole = client_key().read_bytes()
    path = tmp_path / name
    path.write_bytes(
        {
            "no_last_newline": whole.rstrip(b"\n"),
            "crlf": whole.replace(b"\n", b"\r\n"),
            "putty": b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
            "public": client_key().with_suffix(".pub").read_bytes(),
            "bom": b"\xef\xbb\xbf" + whole,
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "text": b"hello\n",
        }[name]
    )
    path.chmod(0o600)
    host = shared_sshd.destination(auth=Auth(method=AuthMethod.KEY, key=str(path)))
    error = await refused(shared_sshd, control_dir, host)
    assert f"the key file {path} {what}" in error.what
    assert remedy in error.remedy


async def test_an_accepted_key_and_a_second_factor_lead_to_connect(
    sshd_factory: SshdFactory, throwaway_users: UserFactory, control_dir: str
) -> None:
    server = sshd_factory(
        extra=[
            "UsePAM yes",
            "KbdInteractiveAuthentication yes",
            "AuthenticationMethods publickey,keyboard-interactive",
        ]
    )
    account = throwaway_users("two", "/bin/sh", "pw")
    error = await refused(server, control_dir, server.destination(user=account.name))
    assert "accepted the key and wants a second factor: keyboard-interactive" in error.what
    assert f"ssh-mcp connect {server.address}" in error.remedy


@pytest.mark.parametrize("agent", [False, True])
async def test_a_certificate_that_ran_out_is_named_with_its_end(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, ssh_agent: Agent, agent: bool
) -> None:
    authority, key = keygen(tmp_path / "ca"), keygen(tmp_path / "user_key")
    server = sshd_factory(authorized_keys="", extra=[f"TrustedUserCAKeys {authority}.pub"])
    run("ssh-keygen", "-q", "-s", str(authority), "-I", "lab", "-n", server.user, "-V", "-2d:-1d", f"{key}.pub")
    auth = Auth(method=AuthMethod.KEY, key=str(key))
    if agent:
        ssh_agent.add(key)
        auth = Auth(method=AuthMethod.AGENT, identity_agent=ssh_agent.socket)
    error = await refused(server, control_dir, server.destination(auth=auth))
    assert "; the certificate ran out at 2" in error.what
    assert "Get a new certificate" in error.remedy


async def test_an_expired_password_is_named_for_commands_and_for_files(
    sshd_factory: SshdFactory, throwaway_users: UserFactory, control_dir: str
) -> None:
    server = sshd_factory(extra=["UsePAM yes"])
    account = throwaway_users("old", "/bin/sh", "pw")
    subprocess.run(["chage", "-d", "0", account.name], check=True)
    transport = OpenSSHTransport(server.transport_config(control_dir=control_dir))
    connection = transport.connection(server.destination(user=account.name))
    with pytest.raises(SessionRefused, match="has an expired password; the command was not run") as command:
        await connection.run("true")
    with pytest.raises(SFTPSubsystemUnavailable, match="has an expired password") as files:
        await (await connection.files()).stat("/")
    assert "plain ssh in a terminal" in command.value.remedy == files.value.remedy
    await transport.aclose()


async def test_an_account_with_nologin_is_told_of_files_and_not_of_startup_files(
    sshd_factory: SshdFactory, throwaway_users: UserFactory, control_dir: str
) -> None:
    server = sshd_factory()
    account = throwaway_users("none", "/usr/sbin/nologin")
    transport = OpenSSHTransport(server.transport_config(control_dir=control_dir))
    connection = transport.connection(server.destination(user=account.name))
    with pytest.raises(SessionRefused, match="nologin as its login shell") as caught:
        await connection.run("true")
    assert "startup files" not in str(caught.value)
    assert (await (await connection.files()).stat("/")).kind is not None
    await transport.aclose()
