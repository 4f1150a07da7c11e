"""The snippets for MCP clients have each client's own shape."""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssh_mcp.cli.client_files import write_entry
from ssh_mcp.cli.client_rows import CLIENTS, SERVER_NAME, Start, client_name
from ssh_mcp.cli.clients import show, snippet
from ssh_mcp.cli.installed import installed_from
from ssh_mcp.errors import FileConflict

SOCKET = "/run/user/1000/keyring/ssh"
ENV = {
    "SSH_AUTH_SOCK": SOCKET,
    "SSH_HOSTS_FILE": "/home/me/my hosts/hosts.toml",
    "SSH_REDACT_SALT": "s" * 40,
    "HOME": "/",
}
STRIPPING = {"claude-desktop", "cursor", "devin-desktop", "continue", "codex", "gemini-cli"}
WHERE = {
    "claude-desktop": "mcpServers",
    "claude-code": "mcpServers",
    "cursor": "mcpServers",
    "vscode": "servers",
    "devin-desktop": "mcpServers",
    "kilo-code": "mcp",
    "continue": "mcpServers",
    "zed": "context_servers",
    "codex": "mcp_servers",
    "gemini-cli": "mcpServers",
    "opencode": "mcp",
    "copilot-cli": "mcpServers",
}
ADDRESS = Start(url="http://127.0.0.1:8000/mcp", token="t0ken-t0ken-t0ken")


def parsed(name: str, text: str) -> dict[str, Any]:
    """The whole file."""
    kind = CLIENTS[name].format
    parsers: dict[str, Callable[[str], Any]] = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    value = parsers[kind](text)
    assert isinstance(value, dict)
    return value


def entry(name: str, text: str) -> dict[str, Any]:
    """The server's entry, from wherever the client looks for it."""
    servers = parsed(name, text)[WHERE[name]]
    if name == "continue":
        (servers,) = [each for each in servers if each["name"] == SERVER_NAME]
        return dict(servers)
    return dict(servers[SERVER_NAME])


def started(name: str, found: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    if name in ("kilo-code", "opencode"):
        assert found["type"] == "local"
        return found["command"], found.get("environment", {})
    if name in ("vscode", "claude-code", "continue"):
        assert found["type"] == "stdio"
    return [found["command"], *found["args"]], found.get("env", {})


def test_all_twelve_clients_are_known() -> None:
    assert set(CLIENTS) == set(WHERE)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_snippet_carries_the_settings_that_are_set_but_no_secret(name: str) -> None:
    env = {
        **ENV,
        "ALLOW_LOW_ACCESS_TOOLS": "true",
        "SSH_ENABLED_GROUPS": "host,docker",
        "SSH_CONFIG_FILE": "mine/config",
        "MCP_TRANSPORT": "http",
        "SSH_SUDO_PASSWORD_CMD": "pass show x",
        "PATH": "/bin",
    }
    found = snippet(name, launcher="script", env=env)
    _, carried = started(name, entry(name, found.text))
    carried.pop("SSH_AUTH_SOCK", None)
    assert carried == {
        "SSH_HOSTS_FILE": ENV["SSH_HOSTS_FILE"],
        "SSH_CONFIG_FILE": os.path.abspath("mine/config"),
        "ALLOW_LOW_ACCESS_TOOLS": "true",
        "SSH_ENABLED_GROUPS": "host,docker",
    }
    assert "SSH_REDACT_SALT, SSH_SUDO_PASSWORD_CMD: set here and left out" in " ".join(found.hints)


@pytest.mark.parametrize("name", sorted(set(WHERE) - {"claude-desktop"}))
def test_a_running_server_is_reached_by_its_address_and_token(name: str) -> None:
    found = entry(name, snippet(name, launcher="script", env=ENV, http=ADDRESS).text)
    assert ADDRESS.url in found.values()
    assert f"Bearer {ADDRESS.token}" in json.dumps(found)
    assert "command" not in found


def test_a_client_that_can_only_start_programs_says_so() -> None:
    with pytest.raises(ValueError, match="leave --http out"):
        snippet("claude-desktop", launcher="script", env=ENV, http=ADDRESS)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("launcher", "executable", "source", "command"),
    [
        ("uvx", "/opt/bin/uvx", "openssh-mcp", ["/opt/bin/uvx", "openssh-mcp"]),
        ("uvx", None, "git+https://example.org/s", ["uvx", "--from", "git+https://example.org/s", "openssh-mcp"]),
        ("script", "/opt/my bin/ssh-mcp", "openssh-mcp", ["/opt/my bin/ssh-mcp"]),
        ("script", 'C:\\Users\\me\\"x"\\ssh-mcp.exe', "openssh-mcp", ['C:\\Users\\me\\"x"\\ssh-mcp.exe']),
        ("script", None, "openssh-mcp", ["openssh-mcp"]),
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
    assert found.container == WHERE[name]


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
        ("CURSOR", "cursor"), ("continue.dev", "continue"), ("zed", "zed"), ("windsurf", "devin-desktop"),
        ("Devin", "devin-desktop"), ("gemini", "gemini-cli"), ("Codex CLI", "codex"), ("open code", "opencode"),
        ("GitHub Copilot CLI", "copilot-cli"), ("copilot", "copilot-cli"),
    ],
)  # fmt: skip
def test_names_are_found_however_they_are_typed(typed: str, name: str) -> None:
    assert client_name(typed) == name


def test_an_unknown_client_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no client called emacs\. Known are claude-desktop.*zed"):
        snippet("emacs", launcher="uvx", env={})
    with pytest.raises(ValueError, match=r"Did you mean devin-desktop\?"):
        snippet("windsrf", launcher="uvx", env={})


@pytest.mark.parametrize(
    ("uvx", "source", "command"),
    [
        (False, None, ["/opt/bin/openssh-mcp"]),
        (True, None, ["/opt/bin/uvx", "--from", "/srv/my clone", "openssh-mcp"]),
        (
            True,
            "/w/openssh_mcp-1.0-py3-none-any.whl",
            ["/opt/bin/uvx", "--from", "/w/openssh_mcp-1.0-py3-none-any.whl", "openssh-mcp"],
        ),
        (True, "openssh-mcp", ["/opt/bin/uvx", "openssh-mcp"]),
        (True, "./clone", ["/opt/bin/uvx", "--from", "CWD/clone", "openssh-mcp"]),
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
    monkeypatch.setattr("ssh_mcp.cli.clients.this_script", lambda: None)
    assert show("claude-desktop", uvx=uvx, source=source) == 0
    out, err = capsys.readouterr()
    words, _ = started("claude-desktop", entry("claude-desktop", out))
    assert words == [word.replace("CWD", os.getcwd()) for word in command]
    assert "claude_desktop_config.json" in err
    assert "- Quit Claude Desktop" in err


@pytest.mark.parametrize("source", ["ssh-mcp", "ssh_mcp", "SSH.MCP", "ssh-mcp[tasks]>=1", "ssh-mcp@latest", "openssh"])
@pytest.mark.parametrize("name", CLIENTS)
def test_no_snippet_runs_another_project_of_the_package_index(name: str, source: str) -> None:
    with pytest.raises(ValueError, match="names another project on the package index"):
        snippet(name, launcher="uvx", env=ENV, source=source)


@pytest.mark.parametrize(
    "source", ["openssh-mcp", "openssh_mcp", "openssh-mcp[tasks]", "openssh-mcp@0.1.0", "./ssh-mcp"]
)
def test_our_own_name_and_a_directory_of_any_name_are_taken(source: str) -> None:
    snippet("cursor", launcher="uvx", env=ENV, source=source)


def test_another_program_of_our_name_on_path_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "ssh-mcp"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert show("cursor", uvx=False) == 0
    assert str(other) not in capsys.readouterr().out


def test_a_program_that_uvx_runs_prints_a_snippet_with_uvx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "cache" / "archive-v0" / "x1" / "bin" / "openssh-mcp"
    script.parent.mkdir(parents=True)
    script.touch()
    monkeypatch.setattr("sys.argv", [str(script), "client", "cursor"])
    monkeypatch.setattr("shutil.which", lambda name: f"/opt/bin/{name}")
    monkeypatch.setattr("ssh_mcp.cli.clients.installed_from", lambda: "openssh-mcp")
    assert show("cursor", uvx=False) == 0
    words, _ = started("cursor", entry("cursor", capsys.readouterr().out))
    assert words == ["/opt/bin/uvx", "openssh-mcp"]


@pytest.mark.parametrize(
    ("recorded", "source"),
    [
        (None, "openssh-mcp"),
        ("{}", "openssh-mcp"),
        ("not json", "openssh-mcp"),
        ("[]", "openssh-mcp"),
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


# -- --write -----------------------------------------------------------------------------------------------------------


THERE = {
    "json": '{"theme": "dark", "%s": {"other": {"command": "x"}}}',
    "toml": 'model = "m"  # mine\n\n[%s.other]\ncommand = "x"\n\n[profiles.a]\nmodel = "n"\n',
    "yaml": "name: Mine\nversion: 1.0.0\nschema: v1\nmodels: []\n%s:\n  - name: other\n    command: x\n",
}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("before", ["", "there", "no container"])
def test_an_entry_is_written_and_all_else_kept(name: str, before: str, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "config"
    found = snippet(name, launcher="script", env=ENV)
    text = {"": "", "there": THERE[found.format] % found.container, "no container": THERE[found.format] % "others"}[
        before
    ]
    if text:
        file.parent.mkdir()
        file.write_text(text)
        file.chmod(0o640)
    assert "was written" in write_entry(found, str(file))
    after = file.read_text()
    assert entry(name, after) == found.entry
    assert file.stat().st_mode & 0o777 == (0o640 if text else 0o600)
    if text:
        old, new = parsed(name, text), parsed(name, after)
        kept = new[found.container]
        if before == "no container":
            del new[found.container]
        elif isinstance(kept, list):
            kept.remove(found.entry)
        else:
            del kept[SERVER_NAME]
        assert new == old
    assert "already" in write_entry(found, str(file))
    assert file.read_text() == after
    assert [each.name for each in file.parent.iterdir()] == ["config"]


@pytest.mark.parametrize("name", CLIENTS)
def test_of_an_older_entry_the_start_is_replaced_and_the_users_own_settings_stay(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    old = snippet(name, launcher="uvx", env={**ENV, "ALLOW_SUDO": "true"})
    file.write_text(THERE[old.format] % old.container)
    write_entry(old, str(file))
    mine = {"timeout": 7, "disabledTools": ["ssh_delete"]}
    if old.format == "json":
        content = json.loads(file.read_text())
        content[old.container][SERVER_NAME] |= mine
        file.write_text(json.dumps(content))
    else:
        lines = {
            "toml": "timeout = 7\ndisabledTools = ['ssh_delete']\n",
            "yaml": "    timeout: 7\n    disabledTools: [ssh_delete]\n",
        }
        at = re.compile(r"^ *args.*\n", re.MULTILINE)
        file.write_text(at.sub(lambda m: m[0] + lines[old.format], file.read_text(), count=1))
    others = parsed(name, file.read_text())
    found = snippet(name, launcher="script", env=ENV, executable="/opt/ssh-mcp")
    said = write_entry(found, str(file))
    assert "ALLOW_SUDO" in said
    assert "timeout, disabledTools" in said
    after = entry(name, file.read_text())
    words, env = started(name, after)
    assert words == ["/opt/ssh-mcp"]
    assert env == {**started(name, dict(found.entry))[1], "ALLOW_SUDO": "true"}
    assert {key: after[key] for key in mine} == mine
    now = parsed(name, file.read_text())
    assert len(now[found.container]) == len(others[found.container]) == 2
    assert {**now, found.container: 0} == {**others, found.container: 0}
    assert "already" in write_entry(found, str(file))


@pytest.mark.parametrize("name", sorted(set(WHERE) - {"claude-desktop"}))
def test_nothing_of_a_started_server_stays_in_the_entry_of_one_that_is_reached(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    start = snippet(name, launcher="script", env=ENV)
    for found in (start, snippet(name, launcher="script", env=ENV, http=ADDRESS), start):
        write_entry(found, str(file))
        after = entry(name, file.read_text())
        assert after.items() >= found.entry.items()
        assert set(after) - set(found.entry) <= {"timeout"}


OLDER = """name: Mine
# my servers
mcpServers:
  - name: other # not ours
    command: x
  - name: ssh-mcp
    command: old
    env: {SSH_HOSTS_FILE: mine}

  # the last one
  - {name: third, command: y}
models: []
"""


def test_an_older_entry_of_ours_in_yaml_is_replaced_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(OLDER)
    found = snippet("continue", launcher="script", env={})
    write_entry(found, str(file))
    begin, rest = OLDER.split("  - name: ssh-mcp\n")
    after = file.read_text()
    assert after.startswith(begin)
    assert after.endswith("\n\n  # the last one\n" + rest.split("  # the last one\n")[1])
    assert entry("continue", after) == {**found.entry, "env": {"SSH_HOSTS_FILE": "mine"}}


@pytest.mark.parametrize("ours", ["", "{name: ssh-mcp, command: old}, "])
def test_a_list_of_yaml_on_one_line_is_changed_on_that_line(ours: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"mcpServers: [{ours}{{name: other, command: x}}] # mine\nmodels: []\n")
    found = snippet("continue", launcher="script", env=ENV)
    write_entry(found, str(file))
    assert file.read_text().endswith(", {name: other, command: x}] # mine\nmodels: []\n")
    assert entry("continue", file.read_text()) == found.entry


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cursor", '{"mcpServers": {"ssh-mcp": {"command": "x" /* mine */}}}'),
        ("codex", '[mcp_servers.ssh-mcp]\ncommand = "x" # mine\n'),
        ("continue", "mcpServers:\n  - name: ssh-mcp\n    command: x # mine\n"),
        ("continue", "mcpServers:\n  - {name: ssh-mcp}\n  - {name: ssh-mcp}\n"),
        ("continue", "mcpServers: *there\n"),
    ],
)
def test_what_cannot_be_changed_without_loss_is_left_alone(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(FileConflict, match=f"ssh-mcp client {name} prints it"):
        write_entry(snippet(name, launcher="script", env=ENV), str(file))
    assert file.read_text() == text


COMMENTED = """// my settings, with "quotes" and {braces}
{
  /* theme */ "theme": "dark", // "context_servers": {}
  "context_servers": {
    // nothing yet
  },
  "list": [{"context_servers": {}},],
}
"""


def test_comments_and_trailing_commas_are_kept_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(COMMENTED)
    found = snippet("zed", launcher="script", env=ENV)
    write_entry(found, str(file))
    after = file.read_text()
    begin = COMMENTED.index('"context_servers": {\n') + len('"context_servers": {')
    assert after.startswith(COMMENTED[:begin])
    assert after.endswith(COMMENTED[begin:])
    assert json.dumps(SERVER_NAME) in after


@pytest.mark.parametrize(("name", "text"), [("cursor", "{ not json"), ("codex", "= nothing"), ("continue", "a: [")])
def test_a_file_that_is_not_understood_is_left_alone(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(FileConflict, match="was left as it is"):
        write_entry(snippet(name, launcher="script", env=ENV), str(file))
    assert file.read_text() == text
