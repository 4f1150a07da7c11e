"""Network devices: a program that talks as IOS does, behind a real sshd, driven over the live master."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest
from mcp.shared.exceptions import MCPError

from tests.integration.conftest import SshdFactory, masters_of
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
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
    ["sh ver", "show ver", "show", "configure terminal", "show version | redirect tftp://x", "show version | tee x",
     "show version | append x", "show version | include x", "do show version", "show version\x1a", "shoq\x08w version",
     "show version \u200b", "show v\u0435rsion", "! show version", "show version\nreload",
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


@pytest.fixture
async def device(mcp_server: McpServerFactory, switch: peers.Sshd) -> AsyncIterator[McpServer]:
    async with mcp_server({"sw": Host(switch, lines=[PLATFORM, 'device_allow = ["*"]', ENABLE])}) as server:
        yield server


async def texts(server: McpServer, *commands: str, **more: Any) -> list[str]:
    done = await server.call("ssh_device_run", host="sw", commands=list(commands), **more)
    return [output["text"] for output in done["outputs"]]


def sessions() -> list[psutil.Process]:
    """Our ssh processes in a terminal, and the devices behind them."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if "-tt" in line or (sys.executable in line and any("ios.py" in word for word in line)):
                found.append(process)
    return found


async def test_odd_output_is_whole_and_the_next_command_is_in_step(device: McpServer) -> None:
    pager, bytes_, banner, log, version = await texts(
        device, "show pager", "show bytes", "show banner", "show log", "show version"
    )
    assert pager == "\n".join(["  row 0", *(f"  row {n}" for n in range(1, 45))]).strip("\n")
    assert bytes_ == "description Z\ufffdrich \ufffd\ufffd"
    assert banner == "core-router#\nafter the line like a prompt"
    assert log.splitlines()[::3] == ["done", "*Mar  1 00:00:01: %SYS-5-CONFIG_I: Configured from console"]
    assert version.count("Cisco IOS Software") == 30


async def test_a_running_config_of_200_kb_comes_whole(device: McpServer) -> None:
    done = await device.call("ssh_device_run", host="sw", commands=["show tech", "show version"])
    tech, version = done["outputs"]
    assert tech["text"].startswith("interface Vlan0\n")
    assert tech["text"].endswith(" description customer 04999")
    assert version["text"].count("Cisco IOS Software") == 30
    whole = ""
    offset: int | None = 0
    while offset is not None:
        read = await device.call(
            "ssh_output_read", output_id=tech["output_id"], stream="text", offset=offset, max_bytes=1 << 18
        )
        whole, offset = whole + read["text"], read["next_offset"]
    assert whole.splitlines() == [
        line for n in range(5000) for line in (f"interface Vlan{n}", f" description customer {n:05}")
    ]


async def test_a_device_that_hangs_or_ends_the_session_returns_what_came(device: McpServer) -> None:
    for command, why in (("show hang", "prompt within 1 s"), ("show drop", "ended the session")):
        done = await device.call(
            "ssh_device_run", host="sw", commands=["show slow 0", command, "show version"], timeout=1
        )
        slow, last = done["outputs"]
        assert (slow["text"], slow["failed"]) == ("begun\nended", False)
        assert (last["text"], last["failed"]) == ("begun\nunfinished", True)
        assert why in done["output_warnings"][0]
        assert "1 more" in done["output_warnings"][1]
        assert (done["prompt"], done["mode"]) == ("", None)
    asked = await device.call("ssh_device_run", host="sw", commands=["reload"], timeout=1)
    assert asked["outputs"][0]["text"] == "Proceed with reload? [confirm]"
    await anyio.to_thread.run_sync(peers.wait_until, lambda: not sessions(), "the end of the sessions")


async def test_configuration_by_run_is_stopped_and_a_changed_prompt_is_followed(device: McpServer, state: Path) -> None:
    done = await device.call("ssh_device_run", host="sw", commands=["configure terminal", "hostname never"])
    assert "ssh_device_configure" in done["output_warnings"][0]
    assert not state.exists()
    lines = ["hostname core-2", "interface GigabitEthernet0/1", "description a # b#", "exit", "hostname x"]
    done = await device.call("ssh_device_configure", host="sw", lines=lines)
    assert [o["failed"] for o in done["outputs"]] == [False] * 5
    assert done["prompt"] == "x#"
    assert state.read_text().splitlines() == [line for line in lines if line != "exit"]


async def test_a_device_without_its_enable_secret_is_not_configured(
    mcp_server: McpServerFactory, switch: peers.Sshd, state: Path
) -> None:
    async with mcp_server({"sw": Host(switch, lines=[PLATFORM, ALLOW])}) as server:
        refused = await server.refused("ssh_device_configure", host="sw", lines=["interface GigabitEthernet0/1"])
        assert refused.startswith("RemoteError: sw did not enter its configuration mode; 0 lines were sent.")
        assert "device_enable_cmd" in refused
    assert not state.exists()


@pytest.mark.parametrize("victim", ["master", "login", "device"])
async def test_what_is_killed_in_the_middle_is_named_and_leaves_nothing(
    device: McpServer, switch: peers.Sshd, state: Path, control_dir: str, victim: str
) -> None:
    told: list[str] = []

    async def run() -> None:
        done = await device.client.call_tool(
            "ssh_device_run", {"host": "sw", "commands": ["show version", "show hang"]}, raise_on_error=False
        )
        told.append(json.dumps(done.structured_content) if not done.is_error else str(done.content))

    def strike() -> None:
        peers.wait_until(state.exists, "the hang")
        if victim == "master":
            peers.kill_all([p for p in masters_of(control_dir) if "-tt" not in p.cmdline()])
        elif victim == "login":
            switch.kill_sessions()
        else:
            peers.kill_all([p for p in switch.session_processes() if "ios.py" in " ".join(p.cmdline())])
        peers.wait_until(lambda: not sessions(), "the end of the sessions")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await anyio.to_thread.run_sync(strike)
    if victim == "device":
        assert "ended the session" in told[0]
    else:
        assert "MasterLost: " in told[0]
    assert "line 29" in told[0]
    assert "unfinished" in told[0]
    assert len(await texts(device, "show version")) == 1


async def test_a_cancelled_call_and_a_killed_server_leave_no_session(
    mcp_server: McpServerFactory, switch: peers.Sshd, device: McpServer, state: Path
) -> None:
    def hung() -> None:
        peers.wait_until(state.exists, "the hang")
        state.unlink()

    def over() -> None:
        peers.wait_until(lambda: not sessions(), "the end of the sessions")

    hang = {"host": "sw", "commands": ["show hang"]}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(device.client.call_tool, "ssh_device_run", hang)
        await anyio.to_thread.run_sync(hung)
        tasks.cancel_scope.cancel()
    await anyio.to_thread.run_sync(over)

    host = Host(switch, lines=[PLATFORM, 'device_allow = ["*"]', ENABLE])

    async def run(server: McpServer) -> None:
        with contextlib.suppress(MCPError):  # its server is gone
            await server.client.call_tool("ssh_device_run", hang)

    async with mcp_server({"sw": host}, stdio=True) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(run, server)
        await anyio.to_thread.run_sync(hung)
        [ours] = [p for p in psutil.Process().children(recursive=True) if "ssh_mcp" in " ".join(p.cmdline())][:1]
        os.kill(ours.pid, signal.SIGKILL)
        await anyio.to_thread.run_sync(over)
