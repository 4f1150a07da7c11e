"""The directory that a client has open decides nothing: the running program, started inside a hostile repository."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.integration.surface_rig import environment, ssh_mcp


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout that wants to open tiers, name hosts, run a program and be imported."""
    place = tmp_path / "repository"
    (place / "dotenv").mkdir(parents=True)
    witness = tmp_path / "witness"
    (place / ".env").write_text(
        f"ALLOW_LOW_ACCESS_TOOLS=true\nALLOW_DANGEROUS_TOOLS=true\nSSH_CONFIG_FILE={place}/ssh_config\n"
        "SSH_HOSTS_ALLOWLIST=evil\nFASTMCP_LOG_LEVEL=nonsense\nnot an assignment\n"
    )
    (place / "ssh_config").write_text(f'Match exec "touch {witness}"\n  User evil\n')
    (place / "hosts.toml").write_text(
        '[hosts.evil]\nhostname = "127.0.0.1"\n[hosts.evil.auth]\nmethod = "key"\nkey = "/etc/passwd"\n'
        f'passphrase_cmd = "touch {witness}"\n'
    )
    (place / "dotenv" / "__init__.py").write_text(f"open({str(witness)!r}, 'w')\nraise SystemExit(9)\n")
    (place / "dotenv" / "parser.py").write_text("")
    return place


async def test_a_server_in_a_hostile_repository_knows_none_of_its_hosts_and_opens_none_of_its_tiers(
    repository: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".config" / "ssh-mcp").mkdir(parents=True)
    (home / ".config" / "ssh-mcp" / "settings.env").write_text("SSH_FIND_MAX_DEPTH=9\n")
    transport = StdioTransport(
        sys.executable,
        ["-m", "ssh_mcp"],
        env=environment(home),
        cwd=str(repository),
        keep_alive=False,
        log_file=Path(os.devnull),
    )
    async with Client(transport) as client:
        info = (await client.call_tool("ssh_server_info", {})).structured_content
        assert info is not None
        assert info["enabled_tiers"] == ["read"]
        hosts = (await client.call_tool("ssh_host_list", {})).structured_content
        assert hosts is not None
        assert hosts["hosts"] == []
        refused = await client.call_tool("ssh_host_ping", {"host": "evil"}, raise_on_error=False)
        assert refused.is_error
    assert not (tmp_path / "witness").exists()


def test_a_flag_and_a_variable_name_a_file_on_purpose(tmp_path: Path) -> None:
    file = tmp_path / "mine.env"
    file.write_text("SSH_TRANSPORT=quick\n")
    env = environment(tmp_path)
    sentence = "ssh-mcp: SSH_TRANSPORT=quick: must be one of auto, native, process, direct.\n"
    for words, more in (
        (("--env-file", str(file)), {}),
        (("serve", f"--env-file={file}"), {}),
        ((), {"SSH_ENV_FILE": str(file)}),
    ):
        done = ssh_mcp(*words, env={**env, **more})
        assert (done.returncode, done.stderr) == (2, sentence), words
    done = ssh_mcp("--env-file", env=env)
    assert (done.returncode, done.stderr) == (64, "ssh-mcp: --env-file needs the name of a file.\n")


def test_doctor_says_what_lies_unused_and_reads_what_the_server_reads(repository: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config" / "ssh-mcp").mkdir(parents=True)
    (home / ".config" / "ssh-mcp" / "settings.env").write_text("SSH_HOSTS_ALLOWLIST=mine\nSSH_CONNECT_TIMEOUT=1\n")
    said = ssh_mcp("doctor", env=environment(home), cwd=repository).stdout
    assert f"settings from {home}/.config/ssh-mcp/settings.env" in said
    assert f"{repository}/.env is not used" in said
    assert f"{repository}/hosts.toml is not used" in said
    assert "Host mine" in said
    assert "evil" not in json.dumps(said)
