"""Network devices: a program that talks as IOS does, behind a real sshd, driven by scrapli over the live master."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers import sshd as peers

IOS = Path(__file__).parents[2] / "peers" / "ios.py"
PLATFORM = 'platform = "cisco_iosxe"'
ALLOW = 'device_allow = ["show version", "show running-config", "interface", "description", "bogus"]'
SECRETS = (
    "hx5rVt7rPNoS4wqbXKX7m0", "0822455D0A165445415F59", "13061E010803557878", "s3cr3tR0", "wr1teMe99",
    "01100F175804575D72", "r4diusSh4red", "Pr3Sh4redK3y", "NtpK3yHere12",
)  # fmt: skip
ENABLE = "device_enable_cmd = \"printf 'letmein\\\\n'\""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def switch(sshd_factory: SshdFactory, state: Path) -> peers.Sshd:
    return sshd_factory(force_command=f"{sys.executable} {IOS} {state}")


async def test_commands_run_and_their_secrets_are_masked(mcp_server: McpServerFactory, switch: peers.Sshd) -> None:
    async with mcp_server({"sw": Host(switch, lines=[PLATFORM, ALLOW, ENABLE])}) as server:
        done = await server.call("ssh_device_run", host="sw", commands=["show version", "show running-config", "bogus"])
        version, running, bogus = done["outputs"]
        assert version["text"].count("Cisco IOS Software") == 30  # no pager
        assert [o["failed"] for o in done["outputs"]] == [False, False, True], bogus
        assert (done["prompt"], done["mode"]) == ("sw1#", "privileged_exec")
        for secret in SECRETS:
            assert secret not in running["text"], secret
        assert "description uplink" in running["text"]
        assert "letmein" not in json.dumps(server.audit())
        assert switch.logins() == 1


@pytest.mark.parametrize(
    "line",
    ["sh ver", "show ver", "show", "configure terminal", "show version | redirect tftp://x", "show version\nreload",
     "show version; reload", "show version\rreload", "show versionx", "reload", "show version ?", "sho\tversion",
     "\x15reload"],
)  # fmt: skip
async def test_what_is_abbreviated_joined_piped_or_hidden_is_refused(
    mcp_server: McpServerFactory, switch: peers.Sshd, line: str
) -> None:
    async with mcp_server({"sw": Host(switch, lines=[PLATFORM, ALLOW])}) as server:
        assert "CommandNotAllowed" in await server.refused("ssh_device_run", host="sw", commands=["show version", line])
    assert switch.logins() == 0


async def test_lines_are_configured_until_one_fails(
    mcp_server: McpServerFactory, switch: peers.Sshd, state: Path
) -> None:
    async with mcp_server({"sw": Host(switch, lines=[PLATFORM, ALLOW, ENABLE])}) as server:
        lines = ["interface GigabitEthernet0/1", "description to core"]
        dry = await server.call("ssh_device_configure", host="sw", lines=lines, dry_run=True)
        assert not state.exists()
        assert not dry["applied"]
        done = await server.call("ssh_device_configure", host="sw", lines=lines, save=True)
        assert [o["failed"] for o in done["outputs"]] == [False, False, False]
        assert (done["applied"], done["saved"], done["prompt"]) == (True, True, "sw1#")
        assert state.read_text().splitlines() == [*lines, "saved"]
        done = await server.call("ssh_device_configure", host="sw", lines=["bogus 1", "description never"])
        assert [o["failed"] for o in done["outputs"]] == [True]
        assert "never" not in state.read_text()


async def test_a_device_without_its_enable_secret_or_asked_for_a_shell_says_what_to_do(
    mcp_server: McpServerFactory, switch: peers.Sshd
) -> None:
    host = Host(switch, lines=[PLATFORM, ALLOW, "device_enable_cmd = \"printf 'wrong\\\\n'\""])
    async with mcp_server({"sw": host}) as server:
        done = await server.call("ssh_device_run", host="sw", commands=["show version", "show running-config"])
        assert (done["mode"], [o["failed"] for o in done["outputs"]]) == ("exec", [False, True])
        assert "enable secret" in done["output_warnings"][0]
        assert "ssh_device_run" in await server.refused("ssh_exec_run", host="sw", command="id")
        seen = await server.call("ssh_terminal_open", host="sw")
        assert seen["screen"].strip() == "sw1>"
