"""A real router: FRR's vtysh as the login shell of an account, by the definition cumulus_vtysh."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.peers.frr import Router, router

ALLOW = '["show", "ping", "router bgp", "neighbor", "interface", "description", "exit", "password", "enable password"]'
SECRETS = ("Bgp-s3cret-Pw", "Vty-s3cret-Pw1", "En4ble-s3cret")


@pytest.fixture(scope="module")
def frr() -> Iterator[Router]:
    with router() as made:
        yield made


@pytest.fixture
async def server(frr: Router, mcp_server: McpServerFactory, sshd_factory: SshdFactory) -> AsyncIterator[McpServer]:
    sshd = sshd_factory(user=frr.account.name)
    host = Host(sshd, lines=['platform = "cumulus_vtysh"', f"device_allow = {ALLOW}"])
    async with mcp_server({"r1": host}) as made:
        yield made


async def test_a_router_shows_its_state_and_says_what_failed(server: McpServer) -> None:
    done = await server.call(
        "ssh_device_run", host="r1", commands=["show version", "show", "show bogus", "show ip route"]
    )
    version, incomplete, bogus, route = done["outputs"]
    assert version["text"].startswith("FRRouting ")
    assert [o["failed"] for o in (version, incomplete, bogus, route)] == [False, True, True, False]
    assert bogus["text"] == "% Unknown command: show bogus"
    assert done["mode"] == "exec"
    for line in ("sh version", "show version ?", "show running-config | include bgp", "configure terminal"):
        assert "CommandNotAllowed" in await server.refused("ssh_device_run", host="r1", commands=[line])
    assert "ssh_device_run" in await server.refused("ssh_exec_run", host="r1", command="show version")


async def test_a_router_is_configured_saved_and_shows_no_secret(server: McpServer, frr: Router) -> None:
    lines = ["router bgp 65001", "neighbor 10.0.0.1 remote-as 65002", f"neighbor 10.0.0.1 password {SECRETS[0]}",
             "exit", f"password {SECRETS[1]}", f"enable password {SECRETS[2]}",
             "interface lo", "description up # link#"]  # fmt: skip
    done = await server.call("ssh_device_configure", host="r1", lines=lines, save=True)
    assert [o["failed"] for o in done["outputs"]] == [False] * 9, done
    assert (done["applied"], done["saved"], done["diff"]) == (True, True, None)
    assert "\n neighbor 10.0.0.1 remote-as 65002\n" in frr.config.read_text()
    shown = await server.call("ssh_device_run", host="r1", commands=["show running-config"])
    running = shown["outputs"][0]["text"]
    assert " neighbor 10.0.0.1 remote-as 65002" in running
    assert " description up # link#" in running
    assert running.endswith("\nend")
    assert not [secret for secret in SECRETS if secret in json.dumps([done, shown, server.audit()])]


async def test_a_line_that_a_router_refuses_ends_the_call(server: McpServer, frr: Router) -> None:
    done = await server.call("ssh_device_configure", host="r1", lines=["interface lo", "neighbor x", "description y"])
    assert [(o["command"], o["failed"]) for o in done["outputs"]] == [("interface lo", False), ("neighbor x", True)]
    assert not done["saved"]
    os.chown(frr.config.parent, 0, 0)
    done = await server.call("ssh_device_configure", host="r1", lines=["interface lo"], save=True)
    assert (done["applied"], done["saved"]) == (True, False)
    assert "not saved" in done["output_warnings"][0]
