"""Credentials against a real sshd, and where a secret may not be seen."""

from __future__ import annotations

import re
import secrets
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from tests.integration.conftest import SshdFactory, UserFactory, masters_of
from tests.peers.accounts import Account
from tests.peers.agent import Agent
from tests.peers.sshd import Sshd, client_key, fingerprint, keygen, sign, wait_until
from transports.api import Auth, AuthMethod, Destination
from transports.errors import AgentFingerprintNotFound, AuthenticationFailed
from transports.openssh.login.agent import agent_keys
from transports.openssh.login.binaries import probe
from transports.openssh.masters.master import MasterLauncher

PASSWORD = "correct horse 'battery' $taple"


def launcher_for(server: Sshd, control_dir: str) -> MasterLauncher:
    return MasterLauncher(server.transport_config(control_dir=control_dir))


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(PASSWORD + "\nsecond line\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def password_host(sshd_factory: SshdFactory, throwaway_users: UserFactory) -> tuple[Sshd, Account]:
    return sshd_factory(password=True), throwaway_users("pw", "/bin/sh", PASSWORD)


def by_password(server: Sshd, account: Account, command: str) -> Destination:
    return server.destination(user=account.name, auth=Auth(method=AuthMethod.PASSWORD, password_cmd=command))


# --- keys and agents --------------------------------------------------------------------------------------------------


async def test_an_encrypted_key_is_opened_by_the_passphrase_command(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, secret_file: Path
) -> None:
    key = keygen(tmp_path / "odd name's key", passphrase=PASSWORD)
    server = sshd_factory(authorized_keys=Path(f"{key}.pub").read_text())
    auth = Auth(method=AuthMethod.KEY, key=str(key), passphrase_cmd=f"cat '{secret_file}'")
    launcher = launcher_for(server, control_dir)
    assert (await launcher.ensure(server.destination(auth=auth))).login.auth_method == "publickey"
    await launcher.release()


async def test_an_encrypted_key_without_command_fails_with_the_remedy(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "key", passphrase=PASSWORD)
    server = sshd_factory(authorized_keys=Path(f"{key}.pub").read_text())
    launcher = launcher_for(server, control_dir)
    with pytest.raises(AuthenticationFailed, match="passphrase_cmd"):
        await launcher.ensure(server.destination(auth=Auth(method=AuthMethod.KEY, key=str(key))))


async def test_a_wrong_passphrase_is_asked_for_once(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "key", passphrase=PASSWORD)
    server = sshd_factory(authorized_keys=Path(f"{key}.pub").read_text())
    count = tmp_path / "count"
    auth = Auth(method=AuthMethod.KEY, key=str(key), passphrase_cmd=f"echo run >>{count}; echo wrong")
    launcher = launcher_for(server, control_dir)
    with pytest.raises(AuthenticationFailed, match="the passphrase from the command was not accepted"):
        await launcher.ensure(server.destination(auth=auth))
    assert count.read_text() == "run\n"


async def test_many_keys_in_the_agent_and_few_tries_want_a_pinned_key(
    sshd_factory: SshdFactory, control_dir: str, ssh_agent: Agent
) -> None:
    server = sshd_factory(max_auth_tries=2)
    ssh_agent.add_new(5)
    ssh_agent.add(client_key())
    launcher = launcher_for(server, control_dir)
    crowd = Auth(method=AuthMethod.AGENT, identity_agent=ssh_agent.socket)
    with pytest.raises(AuthenticationFailed, match="too many keys were offered"):
        await launcher.ensure(server.destination(auth=crowd))
    pinned = replace(crowd, identity_fingerprint=fingerprint(client_key().with_suffix(".pub")))
    assert (await launcher.ensure(server.destination(auth=pinned))).login.auth_method == "publickey"
    assert len(re.findall("Failed publickey", server.log_text().partition("Accepted publickey")[0])) <= 2
    await launcher.release()


async def test_the_agent_of_the_environment_counts_where_none_is_configured(
    sshd: Sshd, control_dir: str, ssh_agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", ssh_agent.socket)
    ssh_agent.add(client_key())
    auth = Auth(method=AuthMethod.AGENT, identity_fingerprint=fingerprint(client_key().with_suffix(".pub")))
    launcher = launcher_for(sshd, control_dir)
    assert (await launcher.ensure(sshd.destination(auth=auth))).login.auth_method == "publickey"
    await launcher.release()


async def test_a_pinned_key_that_the_agent_lacks_lists_what_it_holds(
    sshd: Sshd, control_dir: str, ssh_agent: Agent
) -> None:
    strays = ssh_agent.add_new(2)
    auth = Auth(method=AuthMethod.AGENT, identity_agent=ssh_agent.socket, identity_fingerprint="SHA256:nothere")
    with pytest.raises(AgentFingerprintNotFound) as caught:
        await launcher_for(sshd, control_dir).ensure(sshd.destination(auth=auth))
    for stray in strays:
        assert fingerprint(stray.with_suffix(".pub")) in str(caught.value)
    assert "stray-1" in str(caught.value)
    nobody = replace(auth, identity_agent="/tmp/no-such-agent")
    with pytest.raises(AgentFingerprintNotFound, match="no ssh-agent replies at /tmp/no-such-agent"):
        await launcher_for(sshd, control_dir).ensure(sshd.destination(auth=nobody))
    assert sshd.log_text().count("Connection from") == 0


async def test_a_login_by_another_key_than_the_pinned_one_is_undone(
    sshd: Sshd, control_dir: str, tmp_path: Path, ssh_agent: Agent
) -> None:
    stray = ssh_agent.add_new(1)[0]
    config_file = tmp_path / "ssh_config"
    config_file.write_text(f"IdentityFile {client_key()}\n")
    config_file.chmod(0o600)
    auth = Auth(
        method=AuthMethod.AGENT,
        identity_agent=ssh_agent.socket,
        identity_fingerprint=fingerprint(stray.with_suffix(".pub")),
    )
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config_file)))
    with pytest.raises(AuthenticationFailed, match="did not accept the pinned key"):
        await launcher.ensure(sshd.destination(auth=auth))
    assert not [path for path in Path(control_dir).iterdir() if path.is_socket()]
    wait_until(lambda: not masters_of(control_dir), "the end of the login by the other key")


async def test_what_an_agent_holds_is_listed_and_an_empty_one_is_not_a_missing_one(ssh_agent: Agent) -> None:
    binaries = await probe()
    assert await agent_keys(binaries, ssh_agent.socket) == ()
    assert await agent_keys(binaries, "/tmp/no-such-agent") is None
    ssh_agent.add(client_key())
    keys = await agent_keys(binaries, ssh_agent.socket)
    assert keys is not None
    assert [(key.fingerprint, key.comment, key.kind) for key in keys] == [
        (fingerprint(client_key().with_suffix(".pub")), "lab-client", "ED25519")
    ]


async def test_a_user_certificate_beside_the_key_logs_in(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path
) -> None:
    authority = keygen(tmp_path / "ca")
    key = keygen(tmp_path / "user_key")
    server = sshd_factory(authorized_keys="", extra=[f"TrustedUserCAKeys {authority}.pub"])
    host = server.destination(auth=Auth(method=AuthMethod.KEY, key=str(key)))
    launcher = launcher_for(server, control_dir)
    with pytest.raises(AuthenticationFailed):
        await launcher.ensure(host)
    sign(authority, tmp_path / "user_key.pub", principals=[server.user])
    assert (await launcher.ensure(host)).login.auth_method == "publickey"
    assert "CA ED25519" in server.log_text() or "ED25519-CERT" in server.log_text()
    await launcher.release()


async def test_a_certificate_in_the_agent_can_be_pinned(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, ssh_agent: Agent
) -> None:
    authority = keygen(tmp_path / "ca")
    key = keygen(tmp_path / "user_key")
    sign(authority, tmp_path / "user_key.pub", principals=["root"])
    ssh_agent.add(key)
    server = sshd_factory(authorized_keys="", extra=[f"TrustedUserCAKeys {authority}.pub"])
    config_file = tmp_path / "ssh_config"
    config_file.write_text(f"CertificateFile {key}-cert.pub\n")
    config_file.chmod(0o600)
    auth = Auth(
        method=AuthMethod.AGENT,
        identity_agent=ssh_agent.socket,
        identity_fingerprint=fingerprint(tmp_path / "user_key.pub"),
    )
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir, ssh_config_file=str(config_file)))
    assert (await launcher.ensure(server.destination(auth=auth))).login.auth_method == "publickey"
    await launcher.release()


# --- passwords --------------------------------------------------------------------------------------------------------


async def test_a_password_command_logs_in(
    password_host: tuple[Sshd, Account], control_dir: str, secret_file: Path
) -> None:
    server, account = password_host
    launcher = launcher_for(server, control_dir)
    handle = await launcher.ensure(by_password(server, account, f"cat {secret_file}"))
    assert handle.login.auth_method == "password"
    await launcher.release()
    assert list(Path(control_dir).iterdir()) == []


async def test_a_wrong_password_is_tried_once(password_host: tuple[Sshd, Account], control_dir: str) -> None:
    server, account = password_host
    said = r"tried (keyboard-interactive, )?password.*the password from the command was not accepted"
    with pytest.raises(AuthenticationFailed, match=said):
        await launcher_for(server, control_dir).ensure(by_password(server, account, "echo wrong"))
    assert server.log_text().count("Failed password") == 1


async def test_a_password_command_that_fails_is_reported_with_its_exit_code(
    password_host: tuple[Sshd, Account], control_dir: str
) -> None:
    server, account = password_host
    with pytest.raises(AuthenticationFailed, match="the command for the password failed with exit code 5"):
        await launcher_for(server, control_dir).ensure(by_password(server, account, "exit 5"))
    assert "Failed password" not in server.log_text()


async def test_a_direct_session_uses_the_command_each_time(
    password_host: tuple[Sshd, Account], control_dir: str, secret_file: Path
) -> None:
    server, account = password_host
    host = by_password(server, account, f"cat {secret_file}")
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir, backend="direct"))
    await launcher.prepare_direct(host)
    for _ in range(2):
        argv, env = launcher.direct_argv(host, subsystem=None, command="id -un")
        done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.stdout.strip() == account.name
    await launcher.release()


# --- where a secret may not be seen -----------------------------------------------------------------------------------


class Watcher:
    """Reads every process's arguments and environment again and again while a login runs."""

    def __init__(self, word: bytes) -> None:
        self.word = word
        self.hits: list[str] = []
        self.rounds = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.rounds += 1
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    self._look(process / name)

    def _look(self, path: Path) -> None:
        try:
            if self.word in path.read_bytes():
                self.hits.append(str(path))
        except OSError:
            pass


@pytest.fixture
def canary(tmp_path: Path) -> tuple[bytes, Path]:
    word = secrets.token_hex(16)
    path = tmp_path / "canary"
    path.write_text(word + "\n")
    path.chmod(0o600)
    return word.encode(), path


async def test_a_password_is_in_no_argument_environment_log_or_file(
    sshd_factory: SshdFactory, throwaway_users: UserFactory, control_dir: str, canary: tuple[bytes, Path]
) -> None:
    word, path = canary
    server = sshd_factory(password=True)
    account = throwaway_users("canary", "/bin/sh", word.decode())
    launcher = launcher_for(server, control_dir)
    with Watcher(word) as watcher:
        handle = await launcher.ensure(by_password(server, account, f"sleep 0.3; cat {path}"))
    assert handle.login.auth_method == "password"
    assert watcher.rounds > 2
    assert watcher.hits == []
    assert b"askpass" not in Path(f"/proc/{handle.pid}/cmdline").read_bytes()
    kept = [file for file in Path(control_dir).rglob("*") if file.is_file()]
    assert not [file for file in kept if word in file.read_bytes()]
    assert not [file for file in kept if "askpass" in file.name]
    await launcher.release()
