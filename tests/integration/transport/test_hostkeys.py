"""Host keys: ssh decides; we report what it said, with both fingerprints, and never offer to accept."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.peers import need
from tests.peers.sshd import Sshd, fingerprint, keygen, sign
from transports.errors import HostKeyMismatch, UnknownHost
from transports.openssh.login.binaries import probe
from transports.openssh.masters.master import MasterLauncher


@pytest.fixture
async def other_key(tmp_path: Path) -> Path:
    return keygen(tmp_path / "other_host_key")


def launcher_with(server: Sshd, control_dir: str, known_hosts: str, tmp_path: Path) -> MasterLauncher:
    path = tmp_path / "known_hosts_of_test"
    path.write_text(known_hosts)
    return MasterLauncher(server.transport_config(control_dir=control_dir, known_hosts_file=str(path)))


def line(name: str, key: Path, mark: str = "") -> str:
    kind, blob = Path(f"{key}.pub").read_text().split()[:2]
    return f"{mark}{name} {kind} {blob}\n"


@pytest.fixture
async def good(sshd: Sshd, control_dir: str) -> AsyncIterator[MasterLauncher]:
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    yield launcher
    await launcher.release()


async def test_a_known_key_matches_and_nobody_logs_in(good: MasterLauncher, sshd: Sshd) -> None:
    check = await good.verify_host_key(sshd.destination())
    assert (check.matches, check.expected, check.live) == (True, sshd.host_key_fingerprint, sshd.host_key_fingerprint)
    assert check.error is None
    assert sshd.logins() == 0
    assert "Failed" not in sshd.log_text()


@pytest.mark.parametrize("content", ["", "# nothing\n"])
async def test_an_empty_file_makes_every_host_unknown(
    sshd: Sshd, control_dir: str, tmp_path: Path, content: str
) -> None:
    launcher = launcher_with(sshd, control_dir, content, tmp_path)
    with pytest.raises(UnknownHost) as caught:
        await launcher.ensure(sshd.destination())
    text = str(caught.value)
    assert sshd.host_key_fingerprint in text
    assert all(step in text for step in ("(1)", "(2)", "(3)", str(tmp_path / "known_hosts_of_test")))
    assert "accept" not in text
    check = await launcher.verify_host_key(sshd.destination())
    assert (check.matches, check.expected, check.live) == (False, None, sshd.host_key_fingerprint)
    assert "Accepted" not in sshd.log_text()


async def test_a_missing_file_makes_every_host_unknown(sshd: Sshd, control_dir: str) -> None:
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, known_hosts_file="/nonexistent/known"))
    with pytest.raises(UnknownHost, match="/nonexistent/known"):
        await launcher.ensure(sshd.destination())


async def test_another_key_is_a_mismatch_with_both_fingerprints(
    sshd: Sshd, control_dir: str, tmp_path: Path, other_key: Path
) -> None:
    launcher = launcher_with(sshd, control_dir, line(sshd.known_hosts_name, other_key), tmp_path)
    known = fingerprint(Path(f"{other_key}.pub"))
    with pytest.raises(HostKeyMismatch) as caught:
        await launcher.ensure(sshd.destination())
    text = str(caught.value)
    assert known in text
    assert sshd.host_key_fingerprint in text
    assert f"{tmp_path}/known_hosts_of_test:1" in text
    assert "accept" not in text
    check = await launcher.verify_host_key(sshd.destination())
    assert (check.matches, check.expected, check.live) == (False, known, sshd.host_key_fingerprint)


async def test_the_key_of_another_port_is_not_this_hosts_key(
    sshd: Sshd, control_dir: str, tmp_path: Path, other_key: Path
) -> None:
    launcher = launcher_with(sshd, control_dir, line(f"[{sshd.address}]:1", sshd.host_key), tmp_path)
    with pytest.raises(UnknownHost):
        await launcher.ensure(sshd.destination())


async def test_a_hashed_entry_counts(sshd: Sshd, control_dir: str, tmp_path: Path, other_key: Path) -> None:
    for key, matches in ((sshd.host_key, True), (other_key, False)):
        launcher = launcher_with(sshd, control_dir, line(sshd.known_hosts_name, key), tmp_path)
        path = tmp_path / "known_hosts_of_test"
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
        assert sshd.address not in path.read_text()
        check = await launcher.verify_host_key(sshd.destination())
        assert (check.matches, check.expected) == (matches, fingerprint(Path(f"{key}.pub")))


async def test_a_certificate_authority_line_counts(sshd_factory: SshdFactory, control_dir: str, tmp_path: Path) -> None:
    authority = keygen(tmp_path / "ca")
    key = keygen(tmp_path / "host_key")
    sign(authority, Path(f"{key}.pub"), principals=["127.0.0.1"], host=True)
    server = sshd_factory(host_key=key, extra=[f"HostCertificate {key}-cert.pub"])
    launcher = launcher_with(server, control_dir, line("*", authority, "@cert-authority "), tmp_path)
    check = await launcher.verify_host_key(server.destination())
    assert check.matches
    assert (await launcher.ensure(server.destination())).login.host_key_fingerprint == fingerprint(Path(f"{key}.pub"))
    await launcher.release()


async def test_a_revoked_key_is_refused(sshd: Sshd, control_dir: str, tmp_path: Path) -> None:
    lines = line(sshd.known_hosts_name, sshd.host_key) + line("*", sshd.host_key, "@revoked ")
    launcher = launcher_with(sshd, control_dir, lines, tmp_path)
    with pytest.raises(HostKeyMismatch, match="marked as revoked"):
        await launcher.ensure(sshd.destination())


async def test_without_a_configured_file_ssh_uses_its_own(sshd: Sshd, control_dir: str, tmp_path: Path) -> None:
    config_file = tmp_path / "ssh_config"
    config_file.write_text(f"UserKnownHostsFile {sshd.known_hosts}\n")
    config_file.chmod(0o600)
    config = sshd.transport_config(control_dir=control_dir, known_hosts_file=None, ssh_config_file=str(config_file))
    launcher = MasterLauncher(config)
    assert (await launcher.verify_host_key(sshd.destination())).matches
    strict_anyway = replace(config, known_hosts_file=str(tmp_path / "none"))
    assert not (await MasterLauncher(strict_anyway).verify_host_key(sshd.destination())).matches
    await launcher.release()


async def test_a_known_hosts_command_of_the_operator_does_not_count_beside_a_configured_file(
    sshd: Sshd, control_dir: str, tmp_path: Path
) -> None:
    need((await probe()).known_hosts_command, "ssh has no KnownHostsCommand before 8.5")
    config_file = tmp_path / "ssh_config"
    config_file.write_text(f"KnownHostsCommand /bin/cat {sshd.known_hosts}\n")
    config_file.chmod(0o600)
    own = sshd.transport_config(control_dir=control_dir, known_hosts_file=None, ssh_config_file=str(config_file))
    assert (await MasterLauncher(own).verify_host_key(sshd.destination())).matches
    only = replace(own, known_hosts_file=str(tmp_path / "none"))
    assert not (await MasterLauncher(only).verify_host_key(sshd.destination())).matches


async def test_a_host_that_cannot_be_reached_is_an_error_in_the_check(good: MasterLauncher, sshd: Sshd) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        check = await good.verify_host_key(replace(sshd.destination(), port=closed.getsockname()[1]))
    assert check.live is None
    assert check.error is not None
    assert re.match(r"ConnectError: .* refused the connection", check.error)
