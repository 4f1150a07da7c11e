"""What to put where, so that an MCP client starts this server.

Each client's file, shape and quirks, looked up in the clients' own documentation (2026): Claude Desktop
(modelcontextprotocol.io quickstart), Claude Code (code.claude.com/docs/en/mcp), Cursor (cursor.com/docs/mcp), VS Code
(code.visualstudio.com, MCP configuration reference), Windsurf (docs.windsurf.com, Cascade MCP), Kilo Code
(kilo.ai/docs/automate/mcp), Continue (docs.continue.dev, MCP deep dive), Zed (zed.dev/docs/ai/mcp).

Nothing here writes a file or reads one: text goes out, a person pastes it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

SERVER_NAME: Final = "ssh-mcp"
Launcher = Literal["uvx", "script"]
System = Literal["macos", "linux", "windows"]

# Where our files are, if the operator says so: a client starts us without the shell's exports.
_CARRIED: Final = ("SSH_HOSTS_FILE", "SSH_CONFIG_FILE", "SSH_KNOWN_HOSTS")
# Agent sockets whose path is another one after the next login.
_PASSING_SOCKET: Final = re.compile(r"^/(private/)?tmp/|/com\.apple\.launchd\.|/vscode-ssh-auth|/\.ssh/agent/")


@dataclass(frozen=True, slots=True)
class Snippet:
    """``text`` goes into the file of ``paths`` for one's system (``~`` and ``%VAR%`` as a person types them).

    ``how`` are the steps around it, in order; ``hints`` what commonly goes wrong with this client.
    """

    client: str
    title: str
    paths: Mapping[System, str]
    format: Literal["json", "yaml"]
    text: str
    how: tuple[str, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Start:
    """The server's command line and environment, before a client's shape is put around it."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Client:
    title: str
    paths: Mapping[System, str]
    render: Callable[[_Start], str]
    how: tuple[str, ...]
    keeps_environment: bool
    format: Literal["json", "yaml"] = "json"


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _entry(start: _Start) -> dict[str, object]:
    entry: dict[str, object] = {"command": start.command, "args": list(start.args)}
    if start.env:
        entry["env"] = dict(start.env)
    return entry


def _mcp_servers(start: _Start) -> str:
    return _json({"mcpServers": {SERVER_NAME: _entry(start)}})


def _typed_mcp_servers(start: _Start) -> str:
    return _json({"mcpServers": {SERVER_NAME: {"type": "stdio", **_entry(start)}}})


def _vscode(start: _Start) -> str:
    return _json({"servers": {SERVER_NAME: {"type": "stdio", **_entry(start)}}})


def _zed(start: _Start) -> str:
    return _json({"context_servers": {SERVER_NAME: {**_entry(start), "env": dict(start.env)}}})


def _kilo(start: _Start) -> str:
    entry: dict[str, object] = {"type": "local", "command": [start.command, *start.args], "enabled": True}
    if start.env:
        entry["environment"] = dict(start.env)
    # Kilo gives a local server ten seconds for its tool list; uvx downloads at its first start.
    return _json({"mcp": {SERVER_NAME: {**entry, "timeout": 60_000}}})


def _continue(start: _Start) -> str:
    """A block file. Scalars are written as JSON strings, which YAML reads as they are."""
    lines = [
        "name: SSH",
        "version: 0.0.1",
        "schema: v1",
        "mcpServers:",
        f"  - name: {SERVER_NAME}",
        "    type: stdio",
        f"    command: {json.dumps(start.command)}",
        f"    args: {json.dumps(list(start.args))}",
    ]
    if start.env:
        lines.append("    env:")
        lines += [f"      {name}: {json.dumps(value)}" for name, value in start.env.items()]
    return "\n".join(lines) + "\n"


def _everywhere(path: str) -> dict[System, str]:
    """A path below the home directory, the same on each system."""
    return {
        "macos": f"~/{path}",
        "linux": f"~/{path}",
        "windows": "%USERPROFILE%\\" + path.replace("/", "\\"),
    }


def _user_data(path: str, *, linux: str | None = None) -> dict[System, str]:
    """A path in each system's place for applications' files."""
    return {
        "macos": f"~/Library/Application Support/{path}",
        "linux": f"~/.config/{linux or path}",
        "windows": "%APPDATA%\\" + path.replace("/", "\\"),
    }


_MERGE: Final = "If the file exists already, add the ssh-mcp entry to what is there."

CLIENTS: Final[Mapping[str, _Client]] = {
    "claude-desktop": _Client(
        "Claude Desktop",
        _user_data("Claude/claude_desktop_config.json"),
        _mcp_servers,
        (
            "In Settings, Developer, choose Edit Config to open the file.",
            _MERGE,
            "Quit Claude Desktop entirely and start it again.",
        ),
        keeps_environment=False,
    ),
    "claude-code": _Client(
        "Claude Code",
        _everywhere(".claude.json"),
        _typed_mcp_servers,
        ("For one project, put the text into .mcp.json in its root instead.", _MERGE, "Check with: claude mcp list"),
        keeps_environment=True,
    ),
    "cursor": _Client(
        "Cursor",
        _everywhere(".cursor/mcp.json"),
        _mcp_servers,
        (
            "For one project, use .cursor/mcp.json in its root.",
            _MERGE,
            "Enable the server in Cursor's settings, under MCP.",
        ),
        keeps_environment=False,
    ),
    "vscode": _Client(
        "VS Code",
        _user_data("Code/User/mcp.json"),
        _vscode,
        (
            'Run the command "MCP: Open User Configuration" to open the file, or use .vscode/mcp.json.',
            _MERGE,
            'Start it with "MCP: List Servers".',
        ),
        keeps_environment=True,
    ),
    "windsurf": _Client(
        "Windsurf",
        _everywhere(".codeium/windsurf/mcp_config.json"),
        _mcp_servers,
        (
            _MERGE,
            "Press refresh in Cascade's MCP panel.",
            "Windsurf limits the number of tools in use: narrow SSH_ENABLED_GROUPS.",
        ),
        keeps_environment=False,
    ),
    "kilo-code": _Client(
        "Kilo Code",
        _everywhere(".config/kilo/kilo.jsonc"),
        _kilo,
        (
            "For one project, use kilo.jsonc in its root or .kilo/kilo.jsonc.",
            _MERGE,
            "See it under Settings, Agent Behaviour, MCP Servers.",
        ),
        keeps_environment=True,
    ),
    "continue": _Client(
        "Continue",
        _everywhere(".continue/mcpServers/ssh-mcp.yaml"),
        _continue,
        (
            "For one workspace, use .continue/mcpServers/ssh-mcp.yaml in its root.",
            "The mcpServers list can go into ~/.continue/config.yaml as well.",
            "Tools are used in agent mode only.",
        ),
        keeps_environment=False,
        format="yaml",
    ),
    "zed": _Client(
        "Zed",
        {
            "macos": "~/.config/zed/settings.json",
            "linux": "~/.config/zed/settings.json",
            "windows": "%APPDATA%\\Zed\\settings.json",
        },
        _zed,
        (
            'Run the command "zed: open settings file" to open the file.',
            _MERGE,
            "A green dot beside the server in the Agent Panel's settings means that it runs.",
        ),
        keeps_environment=True,
    ),
}
_ALIASES: Final = {
    "claude": "claude-desktop",
    "claudedesktop": "claude-desktop",
    "claudecode": "claude-code",
    "code": "vscode",
    "visualstudiocode": "vscode",
    "kilo": "kilo-code",
    "kilocode": "kilo-code",
    "continuedev": "continue",
}


def client_name(text: str) -> str:
    """The known name for what a person typed. Raises ValueError with the list of names."""
    wanted = text.strip().lower()
    squeezed = re.sub(r"[^a-z]", "", wanted)
    for name in CLIENTS:
        if wanted == name or squeezed == name.replace("-", ""):
            return name
    if squeezed in _ALIASES:
        return _ALIASES[squeezed]
    raise ValueError(f"There is no client called {text!r}. Known are: {', '.join(CLIENTS)}.")


def snippet(
    client: str,
    *,
    launcher: Launcher,
    env: Mapping[str, str],
    executable: str | None = None,
    source: str = "ssh-mcp",
) -> Snippet:
    """The text for one client.

    ``env`` is the environment of the terminal in which the person asks: the agent's socket and the places of our files
    are taken from it where the client would not pass them on. ``executable`` is the absolute path of uvx or of the
    installed ``ssh-mcp`` (desktop clients have a short PATH); ``source`` is what uvx installs from (a name, a path or
    a ``git+https`` address). Raises ValueError for an unknown client.
    """
    name = client_name(client)
    known = CLIENTS[name]
    start = _start(launcher, env, executable, source, keeps_environment=known.keeps_environment)
    how = known.how
    if name == "claude-code":
        options = [word for key, value in start.env.items() for word in ("--env", f"{key}={value}")]
        words = ["claude", "mcp", "add", SERVER_NAME, "--scope", "user", *options, "--", start.command, *start.args]
        how = (f"Shortest: {shlex.join(words)}", *how)
    hints = _hints(known, start, env, executable)
    return Snippet(name, known.title, known.paths, known.format, known.render(start), how, hints)


def _start(
    launcher: Launcher, env: Mapping[str, str], executable: str | None, source: str, *, keeps_environment: bool
) -> _Start:
    carried = {name: env[name] for name in _CARRIED if env.get(name)}
    if not keeps_environment and env.get("SSH_AUTH_SOCK"):
        carried = {"SSH_AUTH_SOCK": env["SSH_AUTH_SOCK"], **carried}
    if launcher == "uvx":
        args = ("ssh-mcp",) if source == "ssh-mcp" else ("--from", source, "ssh-mcp")
        return _Start(executable or "uvx", args, carried)
    return _Start(executable or "ssh-mcp", (), carried)


def _hints(known: _Client, start: _Start, env: Mapping[str, str], executable: str | None) -> tuple[str, ...]:
    hints: list[str] = []
    if executable is None:
        hints.append(f"{known.title} may not find {start.command}: write its full path as the command.")
    socket = env.get("SSH_AUTH_SOCK", "")
    if not known.keeps_environment:
        if not socket:
            hints.append(
                f"{known.title} passes only part of the environment on, and SSH_AUTH_SOCK is not set here: run this "
                "where ssh-add -l works, or set identity_agent in hosts.toml."
            )
        elif _PASSING_SOCKET.search(socket):
            hints.append(
                "The SSH_AUTH_SOCK above changes with the next login: better set identity_agent in hosts.toml or "
                "IdentityAgent in ssh_config to an agent with a fixed path, and leave it out here."
            )
    elif not socket:
        hints.append(f"Start {known.title} where ssh-add -l works, or set identity_agent in hosts.toml.")
    if start.args == (SERVER_NAME,):
        hints.append(
            "uvx takes whatever the package index has under the name ssh-mcp: make sure that it is this program, or "
            "name a directory, a wheel or a git+https address with --from."
        )
    hints.append("Hosts are read from hosts.toml; ssh-mcp doctor tells what is missing.")
    return tuple(hints)


def show(client: str, *, uvx: bool, source: str | None = None) -> int:
    """``ssh-mcp client``: the text on stdout, so that it can be piped, and what to do with it on stderr."""
    executable = shutil.which("uvx") if uvx else shutil.which("ssh-mcp") or _this_script()
    origin = (source or installed_from()) if uvx else SERVER_NAME
    found = snippet(client, launcher="uvx" if uvx else "script", env=os.environ, executable=executable, source=origin)
    system: System = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")  # type: ignore[assignment]
    print(f"{found.title}: {found.paths[system]}", file=sys.stderr)
    sys.stderr.flush()
    print(found.text, end="", flush=True)
    for line in (*found.how, *found.hints):
        print(f"- {line}", file=sys.stderr)
    return 0


def installed_from() -> str:
    """What uvx has to install to get this very program: the place it was installed from (PEP 610), else its name.

    The bare name means whatever the package index has under it, which may be somebody else's program.
    """
    try:
        origin = json.loads(metadata.distribution(SERVER_NAME).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return SERVER_NAME
    url = origin.get("url") if isinstance(origin, dict) else None
    if not isinstance(url, str) or not url:
        return SERVER_NAME
    vcs = origin.get("vcs_info")
    if isinstance(vcs, dict):
        return f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', 'HEAD')}"
    return unquote(urlsplit(url).path) if url.startswith("file:///") and os.sep == "/" else url


def _this_script() -> str | None:
    """The script that runs now, where it is ours and not python -m or a test runner."""
    path = os.path.abspath(sys.argv[0])  # noqa: PTH100 - links stay: an environment's script must stay in it
    return path if os.path.basename(path).startswith("ssh-mcp") else None  # noqa: PTH119
