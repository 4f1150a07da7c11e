"""Login names as bastions and domains have them reach sshd unchanged, whichever way they are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.peers.sshd import Sshd
from transports.api import Destination
from transports.errors import AuthenticationFailed, ConnectError
from transports.openssh.masters.master import MasterLauncher

NAMES = ["alice:db1", "alice%db1", "alice#root#10.0.0.7", "gu=alice@db1", r"CORP\john doe"]


def logged(name: str) -> str:
    """As sshd writes it: what is behind a colon is a "style", and a backslash is escaped."""
    return name.partition(":")[0].replace("\\", "\\\\")


async def refused(launcher: MasterLauncher, host: Destination) -> ConnectError:
    with pytest.raises(AuthenticationFailed) as caught:
        await launcher.ensure(host)
    await launcher.release()
    return caught.value


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_of_hosts_toml_arrives_and_its_denial_names_it(sshd: Sshd, control_dir: str, name: str) -> None:
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    error = await refused(launcher, sshd.destination(user=name))
    assert error.what.startswith(f"{name}@")
    assert f"Invalid user {logged(name)} from" in sshd.log_text()


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_of_ssh_config_or_of_the_default_arrives(
    sshd: Sshd, control_dir: str, tmp_path: Path, name: str
) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(f'Host {sshd.address}\n  User "{name}"\n')
    host = replace(sshd.destination(), user=None)
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config)))
    error = await refused(launcher, host)
    assert error.what.startswith(f"{name}@")
    fallback = MasterLauncher(sshd.transport_config(control_dir=control_dir, default_user=name))
    error = await refused(fallback, host)
    assert error.what.startswith(f"{name}@")


@pytest.mark.parametrize("name", [name for name in NAMES if not set(name) & set(" #")])  # ssh ends a ProxyJump there
async def test_a_name_in_a_proxy_jump_arrives_at_the_jump_host(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, name: str
) -> None:
    jump, target = sshd_factory(), sshd_factory()
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host {target.address}\n  ProxyJump {name}@localhost:{jump.port}\n"
        f"Host localhost\n  HostKeyAlias {jump.known_hosts_name}\n"
    )
    launcher = MasterLauncher(jump.transport_config(control_dir=control_dir, ssh_config_file=str(config)))
    error = await refused(launcher, target.destination())
    assert (error.hop, f"{name}@localhost" in error.what) == ("localhost", True)
    assert f"Invalid user {logged(name)} from" in jump.log_text()
