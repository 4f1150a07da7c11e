"""What the skills say of failures is what the tools really do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.skills.loader import shipped
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd

NO_DAEMON = "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///x.' >&2\nexit 1\n"
NO_COMPOSE = "#!/bin/sh\necho \"unknown shorthand flag: 'f' in -f\" >&2\nexit 125\n"


@dataclass(frozen=True)
class Case:
    """A call that must fail with ``error``; ``{d}`` is the test's directory."""

    tool: str
    error: str
    arguments: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("ssh_delete_folder", "FileConflict", {"path": "{d}/full"}),
    Case("ssh_delete_folder", "TooLarge", {"path": "{d}/many", "recursive": True}),
    Case("ssh_delete", "RemoteError", {"path": "{d}/full"}),
    Case("ssh_mkdir", "FileConflict", {"path": "{d}/full"}),
    Case("ssh_mkdir", "InvalidArgument", {"path": "{d}/new", "mode": 755}),
    Case("ssh_link", "FileConflict", {"src": "{d}/text", "dst": "{d}/other"}),
    Case("ssh_link", "RemoteError", {"src": "{d}/full", "dst": "{d}/new"}),
    Case("ssh_mv", "RemoteError", {"src": "{d}/missing", "dst": "{d}/new"}),
    Case("ssh_edit", "FileConflict", {"path": "{d}/text", "old_string": "zzz", "new_string": "y"}),
    Case("ssh_edit", "InvalidArgument", {"path": "{d}/text", "old_string": "a", "new_string": "a"}),
    Case("ssh_patch", "InvalidArgument", {"path": "{d}/text", "unified_diff": "x"}),
    Case("ssh_patch", "FileConflict", {"path": "{d}/text", "unified_diff": "--- a\n+++ b\n@@ -1 +1 @@\n-q\n+w\n"}),
    Case("ssh_upload", "InvalidArgument", {"path": "{d}/new"}),
    Case("ssh_deploy", "InvalidArgument", {"path": "{d}/new", "content_text": "x", "content_base64": "eA=="}),
    Case("ssh_sftp_list", "RemoteError", {"path": "{d}/text"}),
    Case("ssh_sftp_stat", "RemoteError", {"path": "{d}/missing"}),
    Case("ssh_file_hash", "RemoteError", {"path": "{d}/missing"}),
    Case("ssh_find", "InvalidArgument", {"path": "{d}", "kind": "x"}),
    Case("ssh_user_info", "RemoteError", {"username": "nobody-has-this"}),
    Case("ssh_shell_open", "InvalidArgument", {}),
    Case("ssh_journalctl", "InvalidArgument", {"unit": "x", "lines": 100_000}),
    Case("ssh_docker_logs", "InvalidArgument", {"container": "x", "tail": 100_000}),
    Case("ssh_docker_run", "InvalidArgument", {"image": "x", "args": ["--privileged"]}),
    Case(
        "ssh_docker_cp",
        "RemoteError",
        {"container": "x", "container_path": "/x", "host_path": "{d}/no/new", "direction": "from_container"},
    ),
    Case("ssh_apt_show", "InvalidArgument", {"package": "-x"}),
]


def failures(tool: str) -> str:
    """The skill's list of common failures."""
    return (shipped("skills") / tool / "SKILL.md").read_text().partition("## Common failures")[2]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    for name in ("full/one", "many/one", "many/two", "text", "other"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("a\n")
    return place


async def test_the_errors_that_skills_name_are_the_ones_that_tools_raise(
    mcp_server: McpServerFactory, sshd: Sshd, directory: Path
) -> None:
    host = Host(sshd, lines=["persistent_session = false"])
    async with mcp_server({"web": host}, ssh_delete_folder_max_entries=1) as server:
        for case in CASES:
            arguments = {
                k: v.replace("{d}", str(directory)) if isinstance(v, str) else v for k, v in case.arguments.items()
            }
            refusal = await server.refused(case.tool, host="web", **arguments)
            assert refusal.startswith(f"{case.error}: "), (case.tool, refusal)
            assert f"`{case.error}`" in failures(case.tool), (case.tool, case.error)


@pytest.mark.parametrize("tool", ["stats", "images", "system_df", "ps", "prune"])
async def test_an_engine_that_does_not_answer_is_data_with_a_hint(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path, tool: str
) -> None:
    stub = _stub(tmp_path, NO_DAEMON)
    async with mcp_server({"web": Host(sshd, lines=[f'docker_cmd = "{stub}"'])}) as server:
        result = await server.call(f"ssh_docker_{tool}", host="web")
    assert (result["exit_code"], bool(result["hint"])) == (1, True)
    assert "`RemoteError`" not in failures(f"ssh_docker_{tool}")
    assert "`hint`" in failures(f"ssh_docker_{tool}")


@pytest.mark.parametrize("verb", ["ps", "logs", "up", "down", "pull", "restart", "start", "stop"])
async def test_an_engine_without_compose_is_data_with_a_hint(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path, verb: str
) -> None:
    stub = _stub(tmp_path, NO_COMPOSE)
    file = tmp_path / "compose.yml"
    file.write_text("services:\n  a:\n    image: x\n")
    async with mcp_server({"web": Host(sshd, lines=[f'docker_cmd = "{stub}"'])}) as server:
        result = await server.call(f"ssh_docker_compose_{verb}", host="web", compose_file=str(file))
    assert "compose_v1" in result["hint"]
    assert "the host has no compose" not in failures(f"ssh_docker_compose_{verb}")
    assert "`compose_v1`" in failures(f"ssh_docker_compose_{verb}")


def _stub(directory: Path, text: str) -> Path:
    stub = directory / "docker"
    stub.write_text(text)
    stub.chmod(0o755)
    return stub
