"""The wheel, installed into an empty environment and driven from another directory by two client libraries.

The environment sees the wheel and, by a path file, the libraries of the environment that runs the tests; nothing of the
source tree. Dependencies are not downloaded here.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import mcp
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp.client.stdio import StdioServerParameters, stdio_client

from ssh_mcp.tools.catalogue import read
from tests.integration.surface_rig import environment
from tests.peers import need
from tests.peers.sshd import Sshd

pytestmark = pytest.mark.xdist_group("wheel")  # built and installed once

ERAS: list[Any] = ["legacy", "2026-07-28", "auto"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Path:
    """Built as `uv build --wheel` does, by the backend itself."""
    out = tmp_path_factory.mktemp("wheel")
    try:
        import hatchling  # noqa: F401
    except ImportError:
        need(False, "hatchling is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out],
        cwd=project_root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the scripts of an environment that has the wheel."""
    root = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", root], check=True)
    python = root / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", wheel],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # Path files of a directory that is itself on the path by one are not read: the source tree stays out.
    Path(asked.stdout.strip(), "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return root / "bin"


def run(installed: Path, cwd: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=cwd, env=environment(cwd), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_both_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"ssh_mcp", "transports", "openssh_mcp"}
    assert "ssh_mcp/tools/catalogue.json" in names
    assert "ssh_mcp/py.typed" in names
    assert "transports/py.typed" in names
    assert {name.rpartition("/")[2] for name in names if "/extra_metadata/" in name} == {
        "hosts.toml.example",
        "settings.env.example",
        "policy-cases.toml.example",
    }
    assert len([name for name in names if name.startswith("ssh_mcp/skills/") and name.endswith("SKILL.md")]) == len(
        read()
    )
    assert len([name for name in names if name.startswith("ssh_mcp/runbooks/") and name.endswith("SKILL.md")]) >= 12
    assert [name for name in names if name.endswith("LICENSE")]
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".env"))]


def test_everything_is_found_from_another_directory(installed: Path, tmp_path: Path) -> None:
    code = (
        "import ssh_mcp, transports\n"
        "from ssh_mcp.skills.loader import Library\n"
        "from ssh_mcp.tools.catalogue import read\n"
        "print(len(read()), len(Library().all), ssh_mcp.__file__, transports.__file__)\n"
    )
    tools, skills, *files = run(installed, tmp_path, str(installed / "python"), "-c", code).split()
    assert int(tools) == len(read())
    assert int(skills) >= 112
    assert all(file.startswith(str(installed.parent)) for file in files)


def test_the_script_is_there(installed: Path, tmp_path: Path) -> None:
    for name in ("openssh-mcp", "ssh-mcp"):
        assert run(installed, tmp_path, str(installed / name), "--version").strip() != "0+source"
    assert "[hosts." in run(installed, tmp_path, str(installed / "openssh-mcp"), "example", "hosts")
    assert "First steps" in run(installed, tmp_path, str(installed / "ssh-mcp"), "--help")
    snippet = run(installed, tmp_path, str(installed / "ssh-mcp"), "client", "cursor")
    assert f'"command": "{installed}/ssh-mcp"' in snippet


@pytest.fixture
def host(tmp_path: Path, control_dir: str, sshd: Sshd) -> dict[str, str]:
    """A client's environment with one host; the working directory is empty."""
    (tmp_path / "ssh_config").touch(mode=0o600)
    (tmp_path / "hosts.toml").write_text(
        f'[hosts.web]\nhostname = "{sshd.address}"\nport = {sshd.port}\nuser = "{sshd.user}"\n'
        f'path_allowlist = ["{tmp_path}"]\ncommand_allowlist = ["uname"]\n'
        f'[hosts.web.auth]\nmethod = "key"\nkey = "{sshd.key}"\nidentities_only = true\n'
    )
    (tmp_path / "elsewhere").mkdir()
    return {
        **environment(tmp_path),
        "XDG_RUNTIME_DIR": control_dir,
        "SSH_HOSTS_FILE": str(tmp_path / "hosts.toml"),
        "SSH_KNOWN_HOSTS": str(sshd.known_hosts),
        "SSH_CONFIG_FILE": str(tmp_path / "ssh_config"),
        "ALLOW_DANGEROUS_TOOLS": "true",
    }


@pytest.mark.parametrize("mode", ERAS)
async def test_it_is_driven_by_fastmcps_client(
    mode: Any, installed: Path, host: dict[str, str], tmp_path: Path
) -> None:
    transport = StdioTransport(
        str(installed / "ssh-mcp"), [], env=host, cwd=str(tmp_path / "elsewhere"), keep_alive=False,
        log_file=tmp_path / "log",
    )  # fmt: skip
    async with Client(transport, mode=mode) as client:
        assert (client.protocol_version == "2026-07-28") is (mode != "legacy")
        tools = await client.list_tools()
        assert {"ssh_host_ping", "ssh_exec_run"} <= {tool.name for tool in tools}
        answer = await client.call_tool("ssh_host_ping", {"host": "web"})
        assert answer.data.reachable
        ran = await client.call_tool("ssh_exec_run", {"host": "web", "command": "uname"})
        assert ran.data.stdout == "Linux\n"
        refused = await client.call_tool("ssh_exec_run", {"host": "web", "command": "id"}, raise_on_error=False)
        assert refused.is_error
        assert getattr(refused.content[0], "text", "").startswith("CommandNotAllowed: ")
        (skill,) = await client.read_resource("skill://ssh_host_ping/SKILL.md")
        assert "ssh_host_ping" in skill.text


@pytest.mark.parametrize("mode", ERAS)
async def test_it_is_driven_by_the_reference_client(
    mode: Any, installed: Path, host: dict[str, str], tmp_path: Path
) -> None:
    """It validates results against the output schemas by itself."""
    server = StdioServerParameters(command=str(installed / "ssh-mcp"), env=host, cwd=str(tmp_path / "elsewhere"))
    with (tmp_path / "log").open("w") as log:
        async with mcp.Client(stdio_client(server, errlog=log), mode=mode) as client:
            assert (client.protocol_version == "2026-07-28") is (mode != "legacy")
            if mode != "2026-07-28":  # pinned, nothing is asked before the first request
                assert client.server_info
                assert client.server_info.name == "ssh-mcp"
                assert client.server_info.title == "OpenSSH MCP"
                assert client.server_info.website_url
                assert client.instructions
            listed = await client.list_tools()
            assert (listed.ttl_ms == 300_000) is (mode != "legacy")
            assert {"ssh_host_ping", "ssh_exec_run"} <= {tool.name for tool in listed.tools}
            answer = await client.call_tool("ssh_host_ping", {"host": "web"})
            assert not answer.is_error
            assert answer.structured_content
            assert answer.structured_content["reachable"] is True
            refused = await client.call_tool("ssh_sftp_download", {"host": "web", "path": "/etc/passwd"})
            assert refused.is_error
            assert getattr(refused.content[0], "text", "").startswith("PathNotAllowed: ")
            resources = await client.list_resources()
            assert "skill://ssh_host_ping/SKILL.md" in {str(resource.uri) for resource in resources.resources}


async def test_it_is_driven_by_the_reference_session_as_older_clients_use_it(
    installed: Path, host: dict[str, str], tmp_path: Path
) -> None:
    server = StdioServerParameters(command=str(installed / "ssh-mcp"), env=host, cwd=str(tmp_path / "elsewhere"))
    with (tmp_path / "log").open("w") as log:
        async with stdio_client(server, errlog=log) as streams, mcp.ClientSession(*streams) as session:
            hello = await session.initialize()
            assert hello.server_info.name == "ssh-mcp"
            answer = await session.call_tool("ssh_host_list", {})
            assert answer.structured_content
            assert answer.structured_content["count"] == 1
