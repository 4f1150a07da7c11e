"""Group pkg against a real apt with a repository of the lab's own: reads, the life of a package, refusals, attacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from tests.integration.lab_hosts import errors_of, on_systemd
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.fixtures import Lab, exclusive

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-packages"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _alone(lab: Lab) -> Iterator[None]:
    with exclusive("packages"):
        yield


RESET = """
for p in $(pgrep -f 'lab-slow|dpkg --configure|dpkg --status-fd'); do kill -9 $p; done 2>/dev/null
rm -f /run/lab-slow.fifo /canary
dpkg --configure -a >/dev/null 2>&1
export DEBIAN_FRONTEND=noninteractive
dpkg --purge --force-all lab-app lab-lib lab-extra lab-conflict lab-broken lab-asks lab-slow lab-unmet >/dev/null 2>&1
apt-mark unhold lab-hello lab-conf >/dev/null 2>&1
apt-get install -qy --allow-downgrades --allow-change-held-packages -o Dpkg::Options::=--force-confnew \
  -o Dpkg::Options::=--force-confmiss lab-hello=1.0 lab-held=1.0 lab-conf=1.0 >/dev/null 2>&1
apt-mark hold lab-held >/dev/null 2>&1
apt-mark manual lab-hello lab-held lab-conf >/dev/null 2>&1
true
"""


@pytest.fixture
def fresh(lab: Lab) -> Iterator[None]:
    lab.on_systemd_host(RESET)
    yield
    lab.on_systemd_host(RESET)


def version(lab: Lab, package: str) -> str:
    """What dpkg says is installed, past the program under test."""
    return lab.on_systemd_host(f"dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {package} 2>/dev/null || true")


async def names(server: McpServer, **arguments: Any) -> dict[str, dict[str, str]]:
    listed = await server.call("ssh_apt_list", host="sys", **arguments)
    return {p["name"]: p for p in listed["packages"]}


async def test_packages_are_listed_by_mode_and_pattern(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        installed = await names(server, mode="installed")
        ours = await names(server, mode="installed", pattern="lab-*")
        upgradable = await names(server, mode="upgradable")
        everything = await names(server, mode="all", pattern="lab-*")
        none = await server.call("ssh_apt_list", host="sys", mode="installed", pattern="no-such-*")
    assert installed["dpkg"]["state"] == "installed"
    assert set(ours) == {"lab-hello", "lab-held", "lab-conf"}
    assert ours["lab-held"]["state"] == "held"
    assert (upgradable["lab-hello"]["version"], upgradable["lab-hello"]["state"]) == ("1.1", "upgradable from 1.0")
    assert everything["lab-app"]["state"] == "available"
    assert (none["packages"], none["total"], none["truncated"], none["output_warnings"]) == ([], 0, False, [])


async def test_packages_are_shown_searched_and_their_holds_listed(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        app = await server.call("ssh_apt_show", host="sys", package="lab-app")
        hello = await server.call("ssh_apt_show", host="sys", package="lab-hello")
        conflict = await server.call("ssh_apt_show", host="sys", package="lab-conflict")
        unknown = await server.call("ssh_apt_show", host="sys", package="no-such-package")
        found = await server.call("ssh_apt_search", host="sys", pattern="^lab-(app|lib)$")
        holds = await server.call("ssh_apt_show_holds", host="sys")
    assert (app["installed_version"], app["candidate_version"]) == (None, "1.0")
    assert app["depends"] == ["lab-lib (>= 1.0)", "dpkg | lab-hello"]
    assert (app["recommends"], app["suggests"]) == (["lab-extra"], ["lab-hello"])
    assert app["description"].splitlines() == [
        "lab test package lab-app",
        "It exists to be installed and removed.",
        "",
        "Nothing else.",
    ]
    assert app["repos"] == ["file:/srv/apt ./ Packages"]
    assert (hello["installed_version"], hello["candidate_version"]) == ("1.0", "1.1")
    assert conflict["conflicts"] == ["lab-hello"]
    assert conflict["breaks"] == conflict["replaces"] == ["lab-extra (<< 0.5)"]
    assert (unknown["installed_version"], unknown["candidate_version"]) == (None, None)
    assert "apt knows no package no-such-package" in unknown["output_warnings"][0]
    assert {r["name"] for r in found["results"]} == {"lab-app", "lab-lib"}
    assert (holds["held"], holds["exit_code"]) == (["lab-held"], 0)


@pytest.mark.usefixtures("fresh")
async def test_a_package_is_installed_with_dependencies_removed_and_its_leftovers_too(
    lab: Lab, mcp_server: McpServerFactory
) -> None:
    async with on_systemd(lab, mcp_server) as server:
        installed = await server.call("ssh_apt_install", host="sys", packages=["lab-app"], update_first=True)
        assert installed["exit_code"] == 0, errors_of(installed)
        assert (installed["action"], installed["packages"]) == ("install", ["lab-app"])
        assert version(lab, "lab-lib") == "installed 1.0"
        removed = await server.call("ssh_apt_remove", host="sys", packages=["lab-app"])
        assert (removed["action"], removed["exit_code"]) == ("remove", 0)
        assert version(lab, "lab-app") in ("", "not-installed ", "unknown ok not-installed ")
        assert version(lab, "lab-lib") == "installed 1.0"
        swept = await server.call("ssh_apt_autoremove", host="sys")
        assert (swept["action"], swept["exit_code"]) == ("autoremove", 0)
        assert "installed 1.0" not in version(lab, "lab-lib")


@pytest.mark.usefixtures("fresh")
async def test_upgrades_leave_held_packages_and_changed_configuration_alone(
    lab: Lab, mcp_server: McpServerFactory
) -> None:
    lab.on_systemd_host("echo mine > /etc/lab-conf.conf")
    async with on_systemd(lab, mcp_server) as server:
        upgraded = await server.call("ssh_apt_upgrade", host="sys")
    assert upgraded["exit_code"] == 0, errors_of(upgraded)
    assert version(lab, "lab-hello") == "installed 1.1"
    assert version(lab, "lab-held") == "installed 1.0"
    assert version(lab, "lab-conf") == "installed 2.0"
    assert lab.on_systemd_host("cat /etc/lab-conf.conf") == "mine\n"


@pytest.mark.usefixtures("fresh")
async def test_a_hold_is_set_and_lifted(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        held = await server.call("ssh_apt_mark", host="sys", action="hold", packages=["lab-hello"])
        listed = await server.call("ssh_apt_show_holds", host="sys")
        blocked = await server.call("ssh_apt_install", host="sys", packages=["lab-held=2.0"])
        lifted = await server.call("ssh_apt_mark", host="sys", action="unhold", packages=["lab-hello", "lab-held"])
        after = await server.call("ssh_apt_show_holds", host="sys")
        allowed = await server.call("ssh_apt_install", host="sys", packages=["lab-held=2.0"])
    assert (held["action"], held["exit_code"]) == ("hold", 0)
    assert set(listed["held"]) == {"lab-hello", "lab-held"}
    assert blocked["exit_code"] != 0
    assert "ssh_apt_show_holds" in blocked["hint"]
    assert (lifted["action"], after["held"]) == ("unhold", [])
    assert allowed["exit_code"] == 0
    assert version(lab, "lab-held") == "installed 2.0"


@pytest.mark.usefixtures("fresh")
async def test_a_purge_takes_the_configuration_along(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        removed = await server.call("ssh_apt_remove", host="sys", packages=["lab-conf"])
        left = await names(server, mode="installed", pattern="lab-conf")
        assert lab.on_systemd_host("cat /etc/lab-conf.conf") == "level=1\n"
        purged = await server.call("ssh_apt_remove", host="sys", packages=["lab-conf"], purge=True)
    assert removed["exit_code"] == 0
    assert left["lab-conf"]["state"] == "config-files"
    assert (purged["action"], purged["exit_code"]) == ("purge", 0)
    assert lab.on_systemd_host("test -e /etc/lab-conf.conf && echo there || echo gone") == "gone\n"


@pytest.mark.usefixtures("fresh")
async def test_failures_of_apt_are_data_with_a_hint(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        broken = await server.call("ssh_apt_install", host="sys", packages=["lab-broken"])
        lab.on_systemd_host("dpkg --purge --force-all lab-broken")
        unmet = await server.call("ssh_apt_install", host="sys", packages=["lab-unmet"])
        unknown = await server.call("ssh_apt_install", host="sys", packages=["no-such-package"])
        conflict = await server.call("ssh_apt_install", host="sys", packages=["lab-conflict"])
        asks = await server.call("ssh_apt_install", host="sys", packages=["lab-asks"])
    assert broken["exit_code"] != 0
    assert "never configures" in broken["stdout"] + broken["stderr"]
    assert unmet["exit_code"] != 0
    assert "ssh_apt_show" in unmet["hint"]
    assert unknown["exit_code"] != 0
    assert "ssh_apt_search" in unknown["hint"]
    assert conflict["exit_code"] == 0
    assert "installed" not in version(lab, "lab-hello").split()
    assert asks["exit_code"] == 0, errors_of(asks)


@pytest.mark.usefixtures("fresh")
async def test_a_held_lock_is_a_named_error_and_changes_nothing(lab: Lab, mcp_server: McpServerFactory) -> None:
    lab.on_systemd_host("mkfifo /run/lab-slow.fifo")
    async with on_systemd(lab, mcp_server) as server, anyio.create_task_group() as tasks:
        outcome: dict[str, Any] = {}

        async def install_slowly() -> None:
            outcome.update(await server.call("ssh_apt_install", host="sys", packages=["lab-slow"]))

        tasks.start_soon(install_slowly)
        await anyio.to_thread.run_sync(
            lab.on_systemd_host, "while ! pgrep -f 'lab-slow.postinst configure' >/dev/null; do sleep 0.05; done"
        )
        text = await server.refused("ssh_apt_install", host="sys", packages=["lab-lib"])
        listed = await names(server, mode="all", pattern="lab-lib")
        await anyio.to_thread.run_sync(lab.on_systemd_host, "echo go > /run/lab-slow.fifo")
    assert text.startswith("RemoteError: Another package manager is running on sys (apt-get ")
    assert text.endswith("nothing was changed. Wait until it has ended.")
    assert listed["lab-lib"]["state"] == "available"
    assert outcome["exit_code"] == 0


@pytest.mark.usefixtures("fresh")
async def test_a_timeout_ends_apt_and_says_how_to_fix_it(lab: Lab, mcp_server: McpServerFactory) -> None:
    lab.on_systemd_host("mkfifo /run/lab-slow.fifo")
    async with on_systemd(lab, mcp_server) as server:
        ended = await server.call("ssh_apt_install", host="sys", packages=["lab-slow"], timeout=3)
    assert ended["timed_out"] is True
    assert "dpkg --configure -a" in ended["hint"]
    assert lab.on_systemd_host("pgrep -f 'apt-get|lab-slow' || echo none").strip() == "none"


@pytest.mark.usefixtures("fresh")
async def test_a_login_that_may_not_uses_sudo_by_itself(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server, user="nopass") as server:
        held = await server.call("ssh_apt_mark", host="sys", action="hold", packages=["lab-hello"])
        lifted = await server.call("ssh_apt_mark", host="sys", action="unhold", packages=["lab-hello"])
        installed = await server.call("ssh_apt_install", host="sys", packages=["lab-hello"])
    for done in (held, lifted, installed):
        assert done["exit_code"] == 0, errors_of(done)
        assert "as root with sudo" in done["output_warnings"][0]


async def test_a_missing_right_is_named(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server, user="plain") as server:
        denied = await server.call("ssh_apt_install", host="sys", packages=["lab-app"])
        listed = await names(server, mode="installed", pattern="lab-*")
    assert denied["exit_code"] != 0
    assert "'plain ALL=(root) ALL' in sudoers" in denied["hint"]
    assert "ssh_sudo_exec" not in denied["hint"]
    assert "lab-hello" in listed


async def test_a_host_without_apt_is_named(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server, user="bb") as server:
        texts = [
            await server.refused("ssh_apt_list", host="sys", mode="installed"),
            await server.refused("ssh_apt_list", host="sys", mode="all"),
            await server.refused("ssh_apt_show", host="sys", package="dpkg"),
            await server.refused("ssh_apt_search", host="sys", pattern="x"),
            await server.refused("ssh_apt_show_holds", host="sys"),
            await server.refused("ssh_apt_install", host="sys", packages=["lab-app"]),
            await server.refused("ssh_apt_install", host="sys", packages=["lab-app"], update_first=True),
            await server.refused("ssh_apt_mark", host="sys", action="hold", packages=["lab-app"]),
        ]
    for text in texts:
        assert text.startswith("PlatformNotSupported: sys has no apt."), text


BAD_PACKAGES = [
    "", "-o", "--force-yes", "lab-app; touch /canary", "$(touch /canary)", "`touch /canary`", "lab-app lab-lib",
    "lab-hello-", "lab-app+", "lab-app/sid", "lab-.*", "lab-*", "?installed", "~i", "task^",
    "/srv/apt/lab-app_1.0_all.deb", "./x.deb",
    "LAB-APP", "a", "lab-app\ntouch /canary", "lab-app=1.0 2.0", "lab-app=*",
    "lab-app=", "-oDpkg::Pre-Invoke::=id",
]  # fmt: skip


@pytest.mark.parametrize("package", BAD_PACKAGES)
async def test_a_misshapen_package_is_refused_and_nothing_runs(
    lab: Lab, mcp_server: McpServerFactory, package: str
) -> None:
    async with on_systemd(lab, mcp_server) as server:
        texts = [await server.refused("ssh_apt_install", host="sys", packages=["lab-app", package])]
        texts.append(await server.refused("ssh_apt_remove", host="sys", packages=[package]))
        texts.append(await server.refused("ssh_apt_mark", host="sys", action="hold", packages=[package]))
        texts.append(await server.refused("ssh_apt_show", host="sys", package=package))
    assert all(text.startswith("InvalidArgument: ") for text in texts), texts
    assert lab.on_systemd_host("test -e /canary && echo there || echo none").strip() == "none"
    assert version(lab, "lab-hello") == "installed 1.0"
    assert "installed 1.0" not in version(lab, "lab-app")


async def test_a_name_with_a_dot_is_no_pattern(lab: Lab, mcp_server: McpServerFactory) -> None:
    """apt-get(8) takes an unknown name with a dot for a regular expression: ``lab.hello`` would match lab-hello."""
    async with on_systemd(lab, mcp_server) as server:
        done = await server.call("ssh_apt_remove", host="sys", packages=["lab.hello"])
        shown = await server.call("ssh_apt_show", host="sys", package="lab.hello")
    assert done["exit_code"] != 0
    assert "Unable to locate package lab.hello" in done["stderr"]
    assert (shown["installed_version"], shown["description"]) == (None, None)
    assert version(lab, "lab-hello") == "installed 1.0"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ssh_apt_list", {"mode": "everything"}),
        ("ssh_apt_list", {"mode": "all", "pattern": "a; id"}),
        ("ssh_apt_list", {"mode": "all", "pattern": "--installed"}),
        ("ssh_apt_search", {"pattern": ""}),
        ("ssh_apt_search", {"pattern": "a\nb"}),
        ("ssh_apt_install", {"packages": []}),
        ("ssh_apt_install", {"packages": "lab-app"}),
        ("ssh_apt_install", {"packages": ["lab-app"] * 101}),
        ("ssh_apt_install", {"packages": ["lab-app"], "timeout": 0}),
        ("ssh_apt_mark", {"packages": ["lab-app"], "action": "auto"}),
    ],
)
async def test_misshapen_further_arguments_are_refused(
    lab: Lab, mcp_server: McpServerFactory, tool: str, arguments: dict[str, object]
) -> None:
    async with on_systemd(lab, mcp_server) as server:
        assert (await server.refused(tool, host="sys", **arguments)).startswith("InvalidArgument: ")


async def test_a_search_pattern_with_shell_signs_stays_one_argument(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server) as server:
        await server.call("ssh_apt_search", host="sys", pattern="x'; touch /canary; echo \"$(touch /canary)")
    assert lab.on_systemd_host("test -e /canary && echo there || echo none").strip() == "none"
