"""Finding ssh: stub programs on PATH stand in for versions that are not installed here."""

from __future__ import annotations

from pathlib import Path

import pytest

from transports.errors import LocalError
from transports.openssh.login import binaries
from transports.openssh.login.binaries import parse_settings, parse_version, probe


def stub(directory: Path, version: str, name: str = "ssh") -> None:
    path = directory / name
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = -V ] && {{ echo "{version}" >&2; exit 0; }}\n'
        f'echo run >>"{directory}/count"\n'
        'echo "ciphers a,b"; echo "identityfile ~/.ssh/id_x"; echo "port 22"\n'
    )
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026", (9, 2)),
        ("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2", (9, 5)),
        ("OpenSSH_10.0p2, LibreSSL 3.3.6", (10, 0)),
        ("Dropbear v2022.83", None),
    ],
)
def test_versions_are_read_from_what_ssh_says(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


def test_settings_keep_repeated_keywords_in_order() -> None:
    assert parse_settings("IdentityFile a\nidentityfile b\nport 22\n") == {"identityfile": ("a", "b"), "port": ("22",)}


async def test_a_missing_ssh_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="ssh was not found on PATH"):
        await probe()


async def test_an_ssh_older_than_8_0_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stub(tmp_path, "OpenSSH_7.4p1, OpenSSL 1.0.2k-fips")
    with pytest.raises(LocalError, match=r"OpenSSH 7\.4; 8\.0 is the oldest"):
        await probe()


async def test_another_program_called_ssh_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stub(tmp_path, "Dropbear v2022.83")
    with pytest.raises(LocalError, match="is not OpenSSH"):
        await probe()


async def test_an_ssh_that_finds_no_account_for_its_user_is_named_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stub(tmp_path, "No user exists for uid 62920")
    with pytest.raises(LocalError, match="has no account on this machine"):
        await probe()


async def test_the_probe_runs_once_and_features_follow_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere:/bin")
    stub(tmp_path, "OpenSSH_8.2p1 Ubuntu-4")
    found = await probe()
    assert await probe() is found
    assert (tmp_path / "count").read_text() == "run\n"
    assert not found.log_verbose
    assert not found.askpass_require
    assert not found.known_hosts_command
    assert found.default_ciphers == ("a", "b")
    assert found.default_identities == ("~/.ssh/id_x",)


async def test_a_missing_helper_is_only_an_error_when_it_is_wanted() -> None:
    found = binaries.Binaries("ssh", None, None, None, (9, 2), "", frozenset(), (), (), ())
    with pytest.raises(LocalError, match="ssh-add was not found"):
        found.path("ssh-add")
    assert found.path("ssh") == "ssh"
