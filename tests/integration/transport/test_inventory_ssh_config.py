"""The inventory and the real ssh: an ssh_config alone, who fills which gap, and the blocklist on what ssh would do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ssh_mcp.errors import HostBlocked
from ssh_mcp.inventory.destination import to_destination, transport_config
from ssh_mcp.inventory.resolve import Inventory, load_inventory
from ssh_mcp.settings.model import Settings
from tests.peers.sshd import Sshd
from transports.api import Effective
from transports.openssh.transport import OpenSSHTransport


class Bed:
    """Files of an operator, and a transport that reads them."""

    def __init__(self, directory: Path, control_dir: str) -> None:
        self.directory = directory
        self.control_dir = control_dir

    def load(self, *, ssh_config: str = "", hosts: str | None = None, **values: object) -> None:
        config = self.directory / "ssh_config"
        config.write_text(ssh_config)
        config.chmod(0o600)
        if hosts is not None:
            (self.directory / "hosts.toml").write_text(hosts)
            values["ssh_hosts_file"] = str(self.directory / "hosts.toml")
        self.settings = Settings(ssh_config_file=str(config), **values)  # type: ignore[arg-type]
        self.inventory: Inventory = load_inventory(self.settings)[0]
        self.transport = OpenSSHTransport(replace(transport_config(self.settings), control_dir=self.control_dir))

    async def effective(self, name: str) -> Effective:
        policy = self.inventory.resolve(name)
        found = await self.transport.effective(to_destination(policy, self.settings))
        self.inventory.check_effective(policy, found)
        return found


@pytest.fixture
def bed(tmp_path: Path, control_dir: str) -> Bed:
    return Bed(tmp_path, control_dir)


async def test_an_ssh_config_and_an_allowlist_are_enough_to_run_a_command(bed: Bed, shared_sshd: Sshd) -> None:
    bed.load(
        ssh_config=f"Host box\n HostName {shared_sshd.address}\n Port {shared_sshd.port}\n User {shared_sshd.user}\n"
        f" IdentityFile {shared_sshd.key}\n",
        ssh_hosts_allowlist=("box",),
        ssh_known_hosts=str(shared_sshd.known_hosts),
    )
    policy = bed.inventory.resolve("box")
    assert bed.inventory.needs_effective(policy)
    assert (await bed.effective("box")).hostname == shared_sshd.address
    try:
        done = await bed.transport.connection(to_destination(policy, bed.settings)).run("echo hello")
        assert (done.exit_code, done.stdout) == (0, b"hello\n")
    finally:
        await bed.transport.aclose()


async def test_hosts_toml_wins_over_ssh_config_which_wins_over_the_defaults_of_the_environment(bed: Bed) -> None:
    bed.load(
        ssh_config="Host web\n HostName elsewhere.example\n Port 2022\n User fromconfig\nHost other\n Port 2023\n",
        hosts="[hosts.web]\nhostname = '192.0.2.1'\nport = 2222\n[hosts.other]\nhostname = '192.0.2.2'\n",
        ssh_default_user="fallback",
    )
    assert await bed.effective("web") == Effective("192.0.2.1", "fromconfig", 2222)
    assert await bed.effective("other") == Effective("192.0.2.2", "fallback", 2023)


async def test_an_alias_without_hostname_is_resolved_by_ssh_config(bed: Bed) -> None:
    bed.load(ssh_config="Host staging\n HostName 192.0.2.7\n", hosts="[hosts.staging]\nuser = 'u'\n")
    assert bed.inventory.needs_effective(bed.inventory.resolve("staging"))
    assert await bed.effective("staging") == Effective("192.0.2.7", "u", 22)


@pytest.mark.parametrize(
    "ssh_config",
    [
        "Host box\n HostName evil.example\n",
        "Host box\n HostName EVIL.example.\n",
        "Host box\n HostName good.example\n ProxyJump hop\nHost hop\n HostName evil.example\n",
        "Host box\n HostName good.example\n ProxyJump one,u@evil.example:2222\n",
        "Match originalhost box\n HostName evil.example\n",
        "Host box\n HostName good.example\n ProxyJump evil.example\nHost evil.example\n HostName 192.0.2.9\n",
        "Host box\n HostName good.example\n ProxyCommand nc -x evil.example:1080 %h %p\n",
    ],
)
async def test_the_blocklist_sees_through_ssh_config(bed: Bed, ssh_config: str) -> None:
    bed.load(ssh_config=ssh_config, ssh_hosts_allowlist=("box",), ssh_hosts_blocklist=("evil.example",))
    with pytest.raises(HostBlocked, match=r"is on SSH_HOSTS_BLOCKLIST\. Only the operator can change that\.$"):
        await bed.effective("box")


async def test_jump_hosts_of_hosts_toml_reach_ssh_in_order(bed: Bed) -> None:
    bed.load(
        hosts="[hosts.one]\nhostname = '192.0.2.1'\n[hosts.two]\nhostname = '192.0.2.2'\nproxy_jump = 'one'\n"
        "[hosts.box]\nhostname = '192.0.2.3'\nproxy_jump = 'two'\n"
    )
    assert (await bed.effective("box")).jump == ("192.0.2.1", "192.0.2.2")


async def test_hosts_of_the_shipped_example_are_all_accepted_by_ssh(bed: Bed, project_root: Path) -> None:
    bed.load(hosts=(project_root / "hosts.toml.example").read_text())
    seen = {policy.alias: await bed.effective(policy.alias) for policy in bed.inventory.listed()}
    assert seen["db01"] == Effective("10.0.20.11", "postgres-admin", 2222, ("bastion.example.com",))
    assert seen["win01"].user == "EXAMPLE\\deploy"
