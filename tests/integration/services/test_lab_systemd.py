"""Group systemctl against a booted systemd: every tool, the life of a unit, refusals, attacks on arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab_hosts import on_systemd
from tests.integration.mcp_server import McpServerFactory
from tests.peers.fixtures import Lab, exclusive
from tests.peers.sshd import Sshd

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-systemd"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _alone(lab: Lab) -> Iterator[None]:
    with exclusive("systemd"):
        yield


@pytest.fixture(autouse=True)
def _units_as_the_lab_made_them(lab: Lab) -> Iterator[None]:
    yield
    lab.on_systemd_host(
        "systemctl unmask --quiet lab-stopped.service; systemctl stop lab-stopped.service; "
        "systemctl disable --quiet lab-stopped.service; systemctl reset-failed; systemctl start lab-ok.service; "
        "systemctl enable --quiet lab-ok.service",
        check=False,
    )


async def test_a_units_state_is_read_in_every_way(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        status = await server.call("ssh_systemctl_status", host="sys", unit="lab-ok.service")
        active = await server.call("ssh_systemctl_is_active", host="sys", unit="lab-ok")
        enabled = await server.call("ssh_systemctl_is_enabled", host="sys", unit="lab-ok.service")
        failed = await server.call("ssh_systemctl_is_failed", host="sys", unit="lab-ok.service")
        text = await server.call("ssh_systemctl_cat", host="sys", unit="lab-ok.service")
        shown = await server.call(
            "ssh_systemctl_show", host="sys", unit="lab-ok.service", properties=["ActiveState", "MainPID", "Id"]
        )
        everything = await server.call("ssh_systemctl_show", host="sys", unit="lab-ok.service")
    assert (status["active_state"], status["exit_code"]) == ("active", 0)
    assert "Lab: runs until told otherwise" in status["stdout"]
    assert (active["state"], active["exit_code"]) == ("active", 0)
    assert (enabled["state"], enabled["exit_code"]) == ("enabled", 0)
    assert (failed["failed"], failed["state"], failed["exit_code"]) == (False, "active", 1)
    assert text["stdout"].splitlines()[0].endswith("/systemd/system/lab-ok.service")
    assert "# /etc/systemd/system/lab-ok.service.d/limits.conf" in text["stdout"]
    assert shown["properties"]["ActiveState"] == "active"
    assert set(shown["properties"]) == {"ActiveState", "MainPID", "Id"}
    assert len(everything["properties"]) > 100


async def test_exit_codes_3_and_4_are_data(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        stopped = await server.call("ssh_systemctl_status", host="sys", unit="lab-stopped.service")
        inactive = await server.call("ssh_systemctl_is_active", host="sys", unit="lab-stopped.service")
        missing = await server.call("ssh_systemctl_status", host="sys", unit="no-such.service")
        unknown = await server.call("ssh_systemctl_is_enabled", host="sys", unit="no-such.service")
        masked = await server.call("ssh_systemctl_is_enabled", host="sys", unit="lab-masked.service")
        static = await server.call("ssh_systemctl_is_enabled", host="sys", unit="lab-fails.service")
        no_file = await server.call("ssh_systemctl_cat", host="sys", unit="no-such.service")
        shown = await server.call("ssh_systemctl_show", host="sys", unit="no-such.service", properties=["LoadState"])
    assert (stopped["exit_code"], stopped["active_state"]) == (3, "inactive")
    assert (inactive["exit_code"], inactive["state"]) == (3, "inactive")
    assert missing["exit_code"] == 4
    assert "could not be found" in missing["stdout"]
    assert unknown["state"] == "not-found"
    assert masked["state"] == "masked"
    assert static["state"] == "static"
    assert no_file["exit_code"] != 0
    assert "No files found" in no_file["stdout"]
    assert shown["properties"] == {"LoadState": "not-found"}


async def test_units_are_listed_by_pattern_state_and_type(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        running = await server.call("ssh_systemctl_list_units", host="sys")
        lab_units = await server.call("ssh_systemctl_list_units", host="sys", pattern="lab-*")
        inactive = await server.call("ssh_systemctl_list_units", host="sys", state="inactive", pattern="lab-s*")
        timers = await server.call("ssh_systemctl_list_units", host="sys", unit_type="timer")
    assert "lab-ok.service" in {u["unit"] for u in running["units"]}
    assert "lab-stopped.service" not in {u["unit"] for u in running["units"]}
    assert {"lab-ok.service", "lab-chatty.service"} <= {u["unit"] for u in lab_units["units"]}
    assert all(u["active"] == "inactive" for u in inactive["units"])
    assert "lab.timer" in {u["unit"] for u in timers["units"]}


async def test_a_unit_is_taken_through_its_whole_life(lab: Lab, mcp_server: McpServerFactory) -> None:
    unit = "lab-stopped.service"

    async with on_systemd(lab, mcp_server) as server:

        async def act(verb: str, name: str = unit) -> dict[str, object]:
            return await server.call(f"ssh_systemctl_{verb}", host="sys", unit=name)

        async def state() -> tuple[str, str]:
            active = await server.call("ssh_systemctl_is_active", host="sys", unit=unit)
            enabled = await server.call("ssh_systemctl_is_enabled", host="sys", unit=unit)
            return active["state"], enabled["state"]

        assert await state() == ("inactive", "disabled")
        started = await act("start")
        assert (started["action"], started["exit_code"], started["hint"]) == ("start", 0, None)
        assert await state() == ("active", "disabled")
        assert (await act("enable"))["exit_code"] == 0
        assert await state() == ("active", "enabled")
        assert (await act("restart"))["exit_code"] == 0
        assert (await act("reload"))["exit_code"] != 0  # this unit has no ExecReload
        assert (await act("reload", "lab-ok.service"))["exit_code"] == 0
        assert (await act("stop"))["exit_code"] == 0
        assert (await act("disable"))["exit_code"] == 0
        assert await state() == ("inactive", "disabled")
        assert (await act("mask"))["exit_code"] == 0
        refused = await act("start")
        assert refused["exit_code"] != 0
        assert "ssh_systemctl_unmask" in str(refused["hint"])
        assert (await act("unmask"))["exit_code"] == 0
        assert (await act("start"))["exit_code"] == 0


async def test_a_unit_fails_and_is_reset(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        started = await server.call("ssh_systemctl_start", host="sys", unit="lab-fails.service")
        failed = await server.call("ssh_systemctl_is_failed", host="sys", unit="lab-fails.service")
        listed = await server.call("ssh_systemctl_list_units", host="sys", state="failed")
        reset = await server.call("ssh_systemctl_reset_failed", host="sys", unit="lab-fails.service")
        after = await server.call("ssh_systemctl_is_failed", host="sys", unit="lab-fails.service")
    assert started["exit_code"] != 0
    assert "ssh_journalctl" in started["hint"]
    assert (failed["failed"], failed["exit_code"]) == (True, 0)
    assert "lab-fails.service" in {u["unit"] for u in listed["units"]}
    assert (reset["action"], reset["exit_code"]) == ("reset-failed", 0)
    assert after["failed"] is False


async def test_the_journal_is_read_by_time_count_and_pattern(lab: Lab, mcp_server: McpServerFactory) -> None:
    unit = "lab-chatty.service"
    async with on_systemd(lab, mcp_server) as server:
        everything = await server.call("ssh_journalctl", host="sys", unit=unit)
        last = await server.call("ssh_journalctl", host="sys", unit=unit, lines=2)
        grepped = await server.call("ssh_journalctl", host="sys", unit=unit, grep="line [24]")
        past = await server.call("ssh_journalctl", host="sys", unit=unit, since="2001-01-01", until="yesterday")
        recent = await server.call("ssh_journalctl", host="sys", unit=unit, since="30 days ago", until="now")
        nothing = await server.call("ssh_journalctl", host="sys", unit="no-such.service")
    assert "line 1" in everything["stdout"]
    assert "äöü" in everything["stdout"]
    assert everything["lines_returned"] == len(everything["stdout"].splitlines()) >= 8
    assert last["lines_returned"] == 2
    assert "line 2" in grepped["stdout"]
    assert "line 3" not in grepped["stdout"]
    assert (past["stdout"], past["lines_returned"]) == ("", 0)
    assert recent["lines_returned"] == everything["lines_returned"]
    assert nothing["lines_returned"] == 0


async def test_secrets_in_units_and_journal_are_masked(lab: Lab, mcp_server: McpServerFactory) -> None:
    secret = lab.systemd["unit_secret"]
    async with on_systemd(lab, mcp_server) as server:
        answers = [
            await server.call("ssh_systemctl_cat", host="sys", unit="lab-ok.service"),
            await server.call("ssh_systemctl_show", host="sys", unit="lab-ok.service"),
            await server.call("ssh_systemctl_show", host="sys", unit="lab-ok.service", properties=["Environment"]),
            await server.call("ssh_journalctl", host="sys", unit="lab-chatty.service"),
            await server.call("ssh_systemctl_status", host="sys", unit="lab-chatty.service"),
        ]
    assert all(secret not in str(answer) for answer in answers)
    assert "LAB_MODE=quiet" in answers[0]["stdout"]
    assert "LAB_MODE=quiet" in answers[2]["properties"]["Environment"]


async def test_a_login_that_may_not_uses_sudo_by_itself(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server, user="nopass") as server:
        for action in ("restart", "stop", "start", "disable", "enable"):
            done = await server.call(f"ssh_systemctl_{action}", host="sys", unit="lab-ok.service")
            assert (done["exit_code"], done["hint"]) == (0, None), action
            assert "as root with sudo" in done["output_warnings"][0]
        journal = await server.call("ssh_journalctl", host="sys", unit="lab-chatty.service")
        status = await server.call("ssh_systemctl_status", host="sys", unit="lab-chatty.service")
    assert journal["lines_returned"] > 0
    assert "as root with sudo" in journal["output_warnings"][0]
    assert "line 1" in status["stdout"]


@pytest.mark.parametrize(
    ("user", "settings", "said"),
    [
        ("nopass", {"allow_sudo": False}, "opens the sudo tier (ALLOW_DANGEROUS_TOOLS=true and ALLOW_SUDO=true)"),
        ("plain", {}, "sudo asks for a password and none is configured"),
    ],
)
async def test_a_missing_right_is_named_and_nothing_sends_back_to_a_refused_tool(
    lab: Lab, mcp_server: McpServerFactory, user: str, settings: dict[str, Any], said: str
) -> None:
    async with on_systemd(lab, mcp_server, user=user, **settings) as server:
        stopped = await server.call("ssh_systemctl_stop", host="sys", unit="lab-ok.service")
        journal = await server.call("ssh_journalctl", host="sys", unit="lab-chatty.service")
        active = await server.call("ssh_systemctl_is_active", host="sys", unit="lab-ok.service")
    assert stopped["exit_code"] != 0
    assert said in stopped["hint"]
    assert f"'{user} ALL=(root) ALL' in sudoers" in stopped["hint"]
    assert "ssh_sudo_exec" not in stopped["hint"]
    assert "systemd-journal" in journal["output_warnings"][0]
    assert active["state"] == "active"


async def test_going_on_as_root_is_asked_for_where_the_sudo_tier_is(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(
        lab, mcp_server, user="nopass", lines=('ask = ["sudo"]',), ssh_ask_channel="client"
    ) as server:
        refused = await server.refused("ssh_systemctl_stop", host="sys", unit="lab-ok.service")
        active = await server.call("ssh_systemctl_is_active", host="sys", unit="lab-ok.service")
    assert refused.startswith("Approval")
    assert active["state"] == "active"


async def test_a_host_without_systemd_is_named(lab: Lab, mcp_server: McpServerFactory, shared_sshd: Sshd) -> None:
    async with on_systemd(lab, mcp_server, user="bb") as server:
        busybox = await server.refused("ssh_systemctl_status", host="sys", unit="lab-ok.service")
        journal = await server.refused("ssh_journalctl", host="sys", unit="lab-ok.service")
        action = await server.refused("ssh_systemctl_start", host="sys", unit="lab-ok.service")
    for text in (busybox, journal, action):
        assert text.startswith("PlatformNotSupported: sys has no systemd.")


BAD_UNITS = [
    "", "-H evil", "--root=/", "lab-ok.service; touch /canary", "$(touch /canary)", "`touch /canary`", "a|b",
    "lab-ok.service\ntouch /canary", "lab ok", "lab-*", "[a-z]*",
    "/etc/passwd", "../../x", "a'b", 'a"b', "lab-ok.service ", "a" * 300,
    "--force", "lab-ok.service --now",
]  # fmt: skip


@pytest.mark.parametrize("unit", BAD_UNITS)
async def test_a_misshapen_unit_is_refused_and_nothing_runs(lab: Lab, mcp_server: McpServerFactory, unit: str) -> None:
    async with on_systemd(lab, mcp_server) as server:
        for tool in ("ssh_systemctl_stop", "ssh_systemctl_status", "ssh_journalctl"):
            assert (await server.refused(tool, host="sys", unit=unit)).startswith("InvalidArgument: ")
        audit = server.audit()
    assert {line["error"] for line in audit} == {"InvalidArgument"}
    assert "/canary" not in lab.on_systemd_host("ls -d /canary /root/canary 2>&1 | grep -v 'No such' || true")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ssh_journalctl", {"since": "1 hour ago; touch /canary"}),
        ("ssh_journalctl", {"since": "$(touch /canary)"}),
        ("ssh_journalctl", {"until": "--file=/etc/shadow"}),
        ("ssh_journalctl", {"lines": 0}),
        ("ssh_journalctl", {"lines": 1001}),
        ("ssh_journalctl", {"lines": -1}),
        ("ssh_journalctl", {"grep": "a\nb"}),
        ("ssh_journalctl", {"grep": ""}),
        ("ssh_systemctl_show", {"properties": ["Id; touch /canary"]}),
        ("ssh_systemctl_show", {"properties": ["--root=/"]}),
        ("ssh_systemctl_show", {"properties": ["A"] * 51}),
    ],
)
async def test_misshapen_further_arguments_are_refused(
    lab: Lab, mcp_server: McpServerFactory, tool: str, arguments: dict[str, object]
) -> None:
    async with on_systemd(lab, mcp_server) as server:
        text = await server.refused(tool, host="sys", unit="lab-ok.service", **arguments)
    assert text.startswith("InvalidArgument: ")
    assert lab.on_systemd_host("test -e /canary && echo there || echo none").strip() == "none"


@pytest.mark.parametrize(
    "arguments",
    [
        {"pattern": "a; id"},
        {"pattern": "--all"},
        {"state": "failed --root=/"},
        {"unit_type": "help"},
        {"unit_type": "-x"},
    ],
)
async def test_misshapen_filters_are_refused(lab: Lab, mcp_server: McpServerFactory, arguments: dict[str, str]) -> None:
    async with on_systemd(lab, mcp_server) as server:
        assert (await server.refused("ssh_systemctl_list_units", host="sys", **arguments)).startswith(
            "InvalidArgument: "
        )


async def test_a_regular_expression_with_shell_signs_stays_one_argument(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        found = await server.call(
            "ssh_journalctl", host="sys", unit="lab-chatty.service", grep="line 1|$(touch /canary)'\"; touch /canary"
        )
    assert "line 1" in found["stdout"]
    assert lab.on_systemd_host("test -e /canary && echo there || echo none").strip() == "none"


async def test_dangerous_actions_do_not_exist_where_the_tier_is_closed(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server, allow_dangerous_tools=False, allow_sudo=False) as server:
        listed = {tool.name for tool in await server.client.list_tools()}
        assert "ssh_systemctl_status" in listed
        assert "ssh_systemctl_stop" not in listed
        with pytest.raises(Exception, match="TierClosed"):
            await server.client.call_tool("ssh_systemctl_stop", {"host": "sys", "unit": "lab-ok.service"})
