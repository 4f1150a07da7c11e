"""Package managers other than apt: real ones, with a package and a repository made for the test."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.lab.needs import find
from tests.peers.sshd import Sshd

SPEC = """
Name: smcp-lab-hello
Version: {version}
Release: 1
Summary: Greets the lab
License: MIT
BuildArch: noarch
%description
A package of the tests.
%install
mkdir -p %{{buildroot}}/opt/smcp-lab
echo {version} > %{{buildroot}}/opt/smcp-lab/hello
%files
/opt/smcp-lab
"""
REPO = "[{name}]\nname={name}\nenabled=1\nbaseurl=file://{path}\ngpgcheck=0\n"
PLACES = (Path("/etc/yum.repos.d/smcp-lab.repo"), Path("/etc/zypp/repos.d/smcp-lab.repo"))


@pytest.fixture
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Both managers see a repository with two versions; what was installed from it is gone afterwards."""
    if missing := [p for p in ("rpmbuild", "createrepo_c", "dnf", "zypper") if find(p) is None]:
        pytest.skip(f"{', '.join(missing)} missing")
    lock = (Path(tempfile.gettempdir()) / "smcp-lab-rpm.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # RPM's database is the machine's, and tests run side by side
    work = tmp_path_factory.mktemp("rpm")
    for version in ("1.0", "1.1"):
        (work / "lab.spec").write_text(SPEC.format(version=version))
        subprocess.run(
            ["rpmbuild", "-bb", "--define", f"_topdir {work}/build", "lab.spec"], cwd=work, check=True,
            capture_output=True,
        )  # fmt: skip
    repo = work / "repo"
    repo.mkdir()
    for package in work.glob("build/RPMS/noarch/*.rpm"):
        shutil.copy(package, repo)
    subprocess.run(["createrepo_c", "-q", str(repo)], check=True)
    name = f"smcp-lab-{secrets.token_hex(4)}"  # both managers remember a repository by its name
    for place in PLACES:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(REPO.format(path=repo, name=name))
    yield
    for undo in (["rpm", "-e"], ["zypper", "--non-interactive", "--quiet", "remove"]):
        subprocess.run([*undo, "smcp-lab-hello"], check=False, capture_output=True)
    for place in PLACES:
        place.unlink(missing_ok=True)
    lock.close()


@pytest.fixture(params=["dnf", "zypper"])
async def server(
    request: pytest.FixtureRequest, mcp_server: McpServerFactory, shared_sshd: Sshd, repository: None
) -> AsyncIterator[McpServer]:
    """The machine has apt too: what was found on it is told to be the other manager alone."""
    async with mcp_server({"web": shared_sshd}) as made:
        await made.call("ssh_host_info", host="web")
        assert made.app is not None
        fleet = made.app.fleet
        destination = fleet.destination(fleet.inventory.resolve("web"))
        found = fleet.capabilities.known(destination)
        assert found is not None
        others = {"apt-get", "dnf", "yum", "apk", "zypper", "pacman"} - {request.param}
        fleet.capabilities.remember(destination, replace(found, programs=found.programs - others | {request.param}))
        yield made


async def test_packages_are_searched_installed_upgraded_and_removed(server: McpServer) -> None:
    name = "smcp-lab-hello"
    seen = await server.call("ssh_pkg_query", host="web", what="search", name="smcp-lab")
    assert [p["name"] for p in seen["packages"]] == [name], seen
    done = await server.call("ssh_pkg_change", host="web", action="install", packages=[f"{name}-1.0"], dry_run=True)
    assert name in done["stdout"]
    assert not Path("/opt/smcp-lab").exists()
    done = await server.call("ssh_pkg_change", host="web", action="install", packages=[f"{name}-1.0"])
    assert (done["exit_code"], done["manager"]) == (0, seen["manager"]), done["stdout"] + done["stderr"]
    if done["manager"] == "dnf":  # on Debian zypper's database is not the one that rpm and dnf use
        seen = await server.call("ssh_pkg_query", host="web", name=name)
        assert [(p["name"], p["version"]) for p in seen["packages"]] == [(name, "1.0-1")]
        seen = await server.call("ssh_pkg_query", host="web", what="owner", name="/opt/smcp-lab/hello")
        assert [p["name"] for p in seen["packages"]] == [name]
    seen = await server.call("ssh_pkg_query", host="web", what="updates")
    assert ("smcp-lab-hello", "1.1-1") in [(p["name"], p["new_version"]) for p in seen["packages"]]
    assert "Greets the lab" in (await server.call("ssh_pkg_query", host="web", what="show", name=name))["text"]
    done = await server.call("ssh_pkg_change", host="web", action="upgrade", packages=[name])
    assert (done["exit_code"], Path("/opt/smcp-lab/hello").read_text()) == (0, "1.1\n"), done
    done = await server.call("ssh_pkg_change", host="web", action="remove", packages=[name])
    assert not Path("/opt/smcp-lab").exists(), done


async def test_what_could_be_an_option_is_no_package(server: McpServer) -> None:
    for bad in ("--root=/", "-y", "a b", "./x.rpm", "/tmp/x.rpm"):
        assert "InvalidArgument" in await server.refused("ssh_pkg_change", host="web", action="install", packages=[bad])
    assert "InvalidArgument" in await server.refused("ssh_pkg_change", host="web", action="remove")
    assert "InvalidArgument" in await server.refused("ssh_pkg_query", host="web", what="owner", name="bin/ls")
