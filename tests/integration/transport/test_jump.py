"""Jump hosts: their masters come up first, a bastion sees one login, and a hop that fails is named."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from tests.integration.conftest import SshdFactory, masters_of
from tests.peers.sshd import Sshd, alive, free_port, wait_until
from transports.api import Destination, TransportConfig
from transports.errors import AuthenticationFailed, ConnectError, UnknownHost
from transports.openssh.masters.master import MasterHandle, MasterLauncher


class Net:
    """A bastion and targets that are reached through it; one known_hosts for all."""

    def __init__(self, bastion: Sshd, targets: list[Sshd], tmp_path: Path, control_dir: str) -> None:
        self.bastion = bastion
        self.targets = targets
        known = tmp_path / "known_hosts_all"
        known.write_text("".join(server.known_hosts_line() for server in [bastion, *targets]))
        self.config: TransportConfig = bastion.transport_config(control_dir=control_dir, known_hosts_file=str(known))
        self.launcher = MasterLauncher(self.config)

    def hop(self) -> Destination:
        return self.bastion.destination()

    def target(self, number: int = 0) -> Destination:
        return self.targets[number].destination(jump=(self.hop(),))


@pytest.fixture
async def net(sshd_factory: SshdFactory, tmp_path: Path, control_dir: str) -> AsyncIterator[Net]:
    made = Net(sshd_factory(), [sshd_factory() for _ in range(3)], tmp_path, control_dir)
    yield made
    await made.launcher.release()


def where(launcher: MasterLauncher, handle: MasterHandle) -> str:
    """The client's address and the server's port as the session on the far side sees them."""
    argv = launcher.mux_argv(handle.control_path, handle.destination, subsystem=None, command="echo $SSH_CONNECTION")
    done = subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20)
    return done.stdout.split()[3]


async def test_three_targets_cost_the_bastion_one_login(net: Net) -> None:
    handles = [await net.launcher.ensure(net.target(n)) for n in range(3)]
    assert [where(net.launcher, handle) for handle in handles] == [str(server.port) for server in net.targets]
    assert [handle.via for handle in handles] == [("127.0.0.1",)] * 3
    assert net.bastion.logins() == 1
    assert [server.logins() for server in net.targets] == [1, 1, 1]


async def test_started_at_once_they_still_cost_the_bastion_one_login(net: Net) -> None:
    async with anyio.create_task_group() as group:
        for n in range(3):
            for index in range(2):
                group.start_soon(net.launcher.ensure, net.target(n), index)
    assert net.bastion.logins() == 1
    assert [server.logins() for server in net.targets] == [2, 2, 2]


async def test_two_processes_share_the_bastion_too(net: Net) -> None:
    second = MasterLauncher(net.config)
    await net.launcher.ensure(net.target(0))
    await second.ensure(net.target(1))
    assert net.bastion.logins() == 1
    await net.launcher.release()
    handle = await second.ensure(net.target(1))
    assert where(second, handle) == str(net.targets[1].port), (
        "the bastion was taken from the process that still uses it"
    )
    await second.release()
    assert masters_of(net.config.control_dir or "") == []


async def test_release_ends_targets_and_bastion(net: Net) -> None:
    await net.launcher.ensure(net.target())
    await net.launcher.release()
    assert masters_of(net.config.control_dir or "") == []
    assert list(Path(net.config.control_dir or "").iterdir()) == []


async def test_a_chain_of_two_jump_hosts_is_walked_from_us_outwards(net: Net) -> None:
    outer, inner = net.bastion.destination(), net.targets[0].destination()
    far = net.targets[1].destination(jump=(outer, inner))
    handle = await net.launcher.ensure(far)
    assert where(net.launcher, handle) == str(net.targets[1].port)
    assert net.bastion.logins() == net.targets[0].logins() == 1
    assert handle.via == ("127.0.0.1", "127.0.0.1")
    await net.launcher.ensure(net.targets[0].destination(jump=(outer,)))
    assert net.targets[0].logins() == 1, "the inner hop is the same host as when it is the target"


async def test_the_operators_proxy_jump_shares_the_bastions_login(net: Net, tmp_path: Path) -> None:
    config_file = tmp_path / "ssh_config"
    lines = [f"IdentityFile {net.bastion.key}", f"User {net.bastion.user}"]
    lines += [f"Host bastion\n HostName 127.0.0.1\n Port {net.bastion.port}"]
    for n, server in enumerate(net.targets):
        lines += [f"Host target{n}\n HostName 127.0.0.1\n Port {server.port}\n ProxyJump bastion"]
    config_file.write_text("\n".join(lines) + "\n")
    config_file.chmod(0o600)
    launcher = MasterLauncher(replace(net.config, ssh_config_file=str(config_file)))
    for n, server in enumerate(net.targets):
        handle = await launcher.ensure(Destination(f"target{n}"))
        assert handle.via == ("bastion",)
        assert where(launcher, handle) == str(server.port)
    assert net.bastion.logins() == 1
    assert (await launcher.effective(Destination("target0"))).jump == ("127.0.0.1",)
    await launcher.release()


async def test_a_bastion_that_refuses_us_is_named(net: Net) -> None:
    hop = replace(net.hop(), name="localhost", hostname="127.0.0.1", user="nobody-here")
    with pytest.raises(AuthenticationFailed, match="The jump host localhost failed") as caught:
        await net.launcher.ensure(replace(net.target(), jump=(hop,)))
    assert caught.value.hop == "localhost"


async def test_a_bastion_that_is_not_there_is_named(net: Net) -> None:
    hop = replace(net.hop(), port=free_port())
    with pytest.raises(ConnectError, match=r"The jump host 127\.0\.0\.1 failed.*refused the connection") as caught:
        await net.launcher.ensure(replace(net.target(), jump=(hop,)))
    assert caught.value.hop == "127.0.0.1"


async def test_a_targets_own_host_key_is_checked_through_the_bastion(net: Net, tmp_path: Path) -> None:
    only_bastion = tmp_path / "only_bastion"
    only_bastion.write_text(net.bastion.known_hosts_line())
    launcher = MasterLauncher(replace(net.config, known_hosts_file=str(only_bastion)))
    with pytest.raises(UnknownHost, match=net.targets[0].host_key_fingerprint.replace("+", r"\+")) as caught:
        await launcher.ensure(net.target())
    assert caught.value.hop is None
    await launcher.release()


async def test_a_target_that_the_bastion_cannot_reach_says_why(net: Net) -> None:
    with pytest.raises(ConnectError, match=r"Seen from the jump host 127\.0\.0\.1, .* refused the connection"):
        await net.launcher.ensure(replace(net.target(), port=free_port()))


async def test_a_bastion_that_forbids_forwarding_is_named(
    sshd_factory: SshdFactory, tmp_path: Path, control_dir: str
) -> None:
    net = Net(sshd_factory(extra=["AllowTcpForwarding no"]), [sshd_factory()], tmp_path, control_dir)
    with pytest.raises(ConnectError, match="does not allow forwarding") as caught:
        await net.launcher.ensure(net.target())
    assert caught.value.hop == "127.0.0.1"
    await net.launcher.release()


async def test_a_killed_bastion_master_takes_the_target_along_and_the_next_call_builds_both_again(net: Net) -> None:
    first = await net.launcher.ensure(net.target())
    hop = await net.launcher.ensure(net.hop())
    target = psutil.Process(first.pid)
    os.kill(hop.pid, signal.SIGKILL)
    wait_until(lambda: not alive(target), "the end of the target's master")
    second = await net.launcher.ensure(net.target())
    assert second.pid != first.pid
    assert net.bastion.logins() == 2


async def test_jump_hosts_that_lead_in_a_circle_are_refused(net: Net, tmp_path: Path) -> None:
    config_file = tmp_path / "ssh_config"
    config_file.write_text("Host a\n ProxyJump b\nHost b\n ProxyJump a\n")
    config_file.chmod(0o600)
    launcher = MasterLauncher(replace(net.config, ssh_config_file=str(config_file)))
    with pytest.raises(ConnectError, match="in a circle"):
        await launcher.ensure(Destination("a"))


async def test_the_host_key_of_a_target_is_looked_at_through_the_bastion(net: Net) -> None:
    check = await net.launcher.verify_host_key(net.target())
    assert check.matches
    assert check.live == net.targets[0].host_key_fingerprint
    assert net.targets[0].logins() == 0
    assert net.bastion.logins() == 1


async def test_without_masters_the_jump_is_made_by_nested_ssh(net: Net) -> None:
    launcher = MasterLauncher(replace(net.config, backend="direct"))
    await launcher.prepare_direct(net.target())
    argv, env = launcher.direct_argv(net.target(), subsystem=None, command="echo $SSH_CONNECTION")
    done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.split()[3] == str(net.targets[0].port)
    check = await launcher.verify_host_key(net.target())
    assert (check.matches, check.live) == (True, net.targets[0].host_key_fingerprint)
    await launcher.release()
    assert list(Path(net.config.control_dir or "").iterdir()) == []
