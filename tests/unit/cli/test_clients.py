"""The snippets for MCP clients have each client's own shape."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
import yaml

from ssh_mcp.cli.clients import CLIENTS, SERVER_NAME, client_name, installed_from, show, snippet

SOCKET = "/run/user/1000/keyring/ssh"
ENV = {
    "SSH_AUTH_SOCK": SOCKET,
    "SSH_HOSTS_FILE": "/home/me/my hosts/hosts.toml",
    "SSH_REDACT_SALT": "s" * 40,
    "HOME": "/",
}
STRIPPING = {"claude-desktop", "cursor", "windsurf", "continue"}
WHERE = {
    "claude-desktop": ("mcpServers",),
    "claude-code": ("mcpServers",),
    "cursor": ("mcpServers",),
    "vscode": ("servers",),
    "windsurf": ("mcpServers",),
    "kilo-code": ("mcp",),
    "zed": ("context_servers",),
}


def entry(name: str, text: str) -> dict[str, Any]:
    """The server's entry, from wherever the client looks for it."""
    if name == "continue":
        value = yaml.safe_load(text)
        assert {"name", "version", "schema"} <= set(value)
        assert value["schema"] == "v1"
        (found,) = value["mcpServers"]
        assert found["name"] == SERVER_NAME
        return dict(found)
    value = json.loads(text)
    assert tuple(value) == WHERE[name]
    return dict(value[WHERE[name][0]][SERVER_NAME])


def started(name: str, found: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    if name == "kilo-code":
        assert found["type"] == "local"
        return found["command"], found.get("environment", {})
    if name in ("vscode", "claude-code", "continue"):
        assert found["type"] == "stdio"
    return [found["command"], *found["args"]], found.get("env", {})


def test_all_eight_clients_are_known() -> None:
    assert set(CLIENTS) == {*WHERE, "continue"}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("launcher", "executable", "source", "command"),
    [
        ("uvx", "/opt/bin/uvx", "ssh-mcp", ["/opt/bin/uvx", "ssh-mcp"]),
        ("uvx", None, "git+https://example.org/s", ["uvx", "--from", "git+https://example.org/s", "ssh-mcp"]),
        ("script", "/opt/my bin/ssh-mcp", "ssh-mcp", ["/opt/my bin/ssh-mcp"]),
        ("script", 'C:\\Users\\me\\"x"\\ssh-mcp.exe', "ssh-mcp", ['C:\\Users\\me\\"x"\\ssh-mcp.exe']),
        ("script", None, "ssh-mcp", ["ssh-mcp"]),
    ],
)
def test_a_snippet_starts_the_server_in_the_clients_own_shape(
    name: str, launcher: Any, executable: str | None, source: str, command: list[str]
) -> None:
    found = snippet(name, launcher=launcher, env=ENV, executable=executable, source=source)
    words, env = started(name, entry(name, found.text))
    assert words == command
    assert env["SSH_HOSTS_FILE"] == ENV["SSH_HOSTS_FILE"]
    assert "SSH_REDACT_SALT" not in env
    assert found.format == ("yaml" if name == "continue" else "json")


@pytest.mark.parametrize("name", CLIENTS)
def test_the_agents_socket_is_given_where_the_client_would_not_pass_it_on(name: str) -> None:
    _, env = started(name, entry(name, snippet(name, launcher="script", env=ENV).text))
    assert env.get("SSH_AUTH_SOCK") == (SOCKET if name in STRIPPING else None)


@pytest.mark.parametrize("name", CLIENTS)
def test_without_an_agent_the_snippet_is_valid_and_a_hint_says_so(name: str) -> None:
    found = snippet(name, launcher="script", env={})
    _, env = started(name, entry(name, found.text))
    assert env == {}
    assert "ssh-add -l" in " ".join(found.hints)


@pytest.mark.parametrize(
    "socket",
    ["/tmp/ssh-XXab12/agent.99", "/private/tmp/com.apple.launchd.Ab3/Listeners", "/tmp/vscode-ssh-auth-1.sock"],
)
def test_a_socket_that_will_not_last_gets_a_hint(socket: str) -> None:
    assert "next login" in " ".join(snippet("cursor", launcher="script", env={"SSH_AUTH_SOCK": socket}).hints)
    assert "next login" not in " ".join(snippet("cursor", launcher="script", env=ENV).hints)


def test_a_missing_path_of_the_executable_gets_a_hint() -> None:
    assert "full path" in " ".join(snippet("zed", launcher="uvx", env=ENV).hints)
    assert "full path" not in " ".join(snippet("zed", launcher="uvx", env=ENV, executable="/bin/uvx").hints)


@pytest.mark.parametrize("name", CLIENTS)
def test_each_system_has_its_path(name: str) -> None:
    found = snippet(name, launcher="uvx", env=ENV)
    assert set(found.paths) == {"macos", "linux", "windows"}
    assert found.paths["macos"].startswith("~/")
    assert found.paths["linux"].startswith("~/")
    assert found.paths["windows"].startswith(("%APPDATA%\\", "%USERPROFILE%\\"))
    assert "/" not in found.paths["windows"]
    assert found.how
    assert (found.text + "".join(found.how)).isascii()


def test_claude_desktops_paths_are_the_documented_ones() -> None:
    assert dict(snippet("claude-desktop", launcher="uvx", env={}).paths) == {
        "macos": "~/Library/Application Support/Claude/claude_desktop_config.json",
        "linux": "~/.config/Claude/claude_desktop_config.json",
        "windows": "%APPDATA%\\Claude\\claude_desktop_config.json",
    }


def test_claude_code_gets_a_command_that_a_shell_reads_as_meant() -> None:
    found = snippet("claude-code", launcher="script", env=ENV, executable="/opt/my bin/ssh-mcp")
    words = shlex.split(found.how[0].removeprefix("Shortest: "))
    assert words[:6] == ["claude", "mcp", "add", SERVER_NAME, "--scope", "user"]
    assert words[6:8] == ["--env", f"SSH_HOSTS_FILE={ENV['SSH_HOSTS_FILE']}"]
    assert words[8:] == ["--", "/opt/my bin/ssh-mcp"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Claude Desktop", "claude-desktop"), ("claude", "claude-desktop"), ("claude_code", "claude-code"),
        ("VS Code", "vscode"), ("code", "vscode"), ("Kilo", "kilo-code"), ("kilocode", "kilo-code"),
        ("CURSOR", "cursor"), ("continue.dev", "continue"), ("zed", "zed"), ("windsurf", "windsurf"),
    ],
)  # fmt: skip
def test_names_are_found_however_they_are_typed(typed: str, name: str) -> None:
    assert client_name(typed) == name


def test_an_unknown_client_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no client called 'emacs'.*claude-desktop.*zed"):
        snippet("emacs", launcher="uvx", env={})


@pytest.mark.parametrize(
    ("uvx", "source", "command"),
    [
        (False, None, ["/opt/bin/ssh-mcp"]),
        (True, None, ["/opt/bin/uvx", "--from", "/srv/my clone", "ssh-mcp"]),
        (True, "ssh_mcp-1.0-py3-none-any.whl", ["/opt/bin/uvx", "--from", "ssh_mcp-1.0-py3-none-any.whl", "ssh-mcp"]),
        (True, "ssh-mcp", ["/opt/bin/uvx", "ssh-mcp"]),
    ],
)
def test_the_command_prints_the_text_alone_on_stdout(
    uvx: bool,
    source: str | None,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/opt/bin/{name}")
    monkeypatch.setattr("ssh_mcp.cli.clients.installed_from", lambda: "/srv/my clone")
    assert show("claude-desktop", uvx=uvx, source=source) == 0
    out, err = capsys.readouterr()
    words, _ = started("claude-desktop", entry("claude-desktop", out))
    assert words == command
    assert "claude_desktop_config.json" in err
    assert "- Quit Claude Desktop" in err
    assert ("whatever the package index has" in err) is (source == "ssh-mcp")


@pytest.mark.parametrize(
    ("recorded", "source"),
    [
        (None, "ssh-mcp"),
        ("{}", "ssh-mcp"),
        ("not json", "ssh-mcp"),
        ("[]", "ssh-mcp"),
        ('{"url": "file:///srv/my%20clone", "dir_info": {"editable": true}}', "/srv/my clone"),
        ('{"url": "https://example.org/ssh_mcp.whl", "archive_info": {}}', "https://example.org/ssh_mcp.whl"),
        (
            '{"url": "https://example.org/ssh-mcp.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}',
            "git+https://example.org/ssh-mcp.git@abc123",
        ),
    ],
)
def test_uvx_is_told_where_this_very_program_came_from(
    recorded: str | None, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return recorded

    monkeypatch.setattr("importlib.metadata.distribution", lambda _name: Installed())
    assert installed_from() == source
