"""The MCP clients: each one's file, and the shape of the entry in it that starts (or reaches) this server.

Looked up in the clients' own documentation (November 2026): Claude Desktop
(modelcontextprotocol.io quickstart), Claude Code (code.claude.com/docs/en/mcp), Cursor (cursor.com/docs/mcp), VS Code
(code.visualstudio.com, MCP configuration reference), Devin Desktop, until 2026 Windsurf (docs.windsurf.com, Cascade
MCP), Kilo Code (kilo.ai/docs/automate/mcp), Continue (docs.continue.dev, MCP deep dive and CLI configuration), Zed
(zed.dev/docs/ai/mcp), Codex (developers.openai.com/codex/mcp), Gemini CLI (geminicli.com/docs/tools/mcp-server),
opencode (opencode.ai/docs/mcp-servers), Copilot CLI (docs.github.com, Adding MCP servers for Copilot CLI).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from ssh_mcp.inventory.values import nearest, shown

SERVER_NAME: Final = "ssh-mcp"
System = Literal["macos", "linux", "windows"]
Format = Literal["json", "yaml", "toml"]
Entry = dict[str, object]


@dataclass(frozen=True, slots=True)
class Start:
    """What a client needs to know, before its own shape is put around it: a command line, or an address and a token."""

    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    ``started`` and ``reached`` shape the entry for stdio and HTTP; None: it cannot be reached over HTTP.
    """

    title: str
    paths: Mapping[System, str]
    started: Callable[[Start], Entry]
    reached: Callable[[Start], Entry] | None
    how: tuple[str, ...]
    keeps_environment: bool
    container: str = "mcpServers"
    format: Format = "json"


def _plain(start: Start) -> Entry:
    entry: Entry = {"command": start.command, "args": list(start.args)}
    return {**entry, "env": dict(start.env)} if start.env else entry


def _typed(kind: str, more: Entry | None = None) -> Callable[[Start], Entry]:
    return lambda start: {"type": kind, **_plain(start), **(more or {})}


def _zed(start: Start) -> Entry:
    return {**_plain(start), "env": dict(start.env)}


def _one_list(start: Start) -> Entry:
    """Kilo's and opencode's: the command line is one list."""
    entry: Entry = {"type": "local", "command": [start.command, *start.args], "enabled": True}
    if start.env:
        entry["environment"] = dict(start.env)
    # Kilo gives a local server ten seconds for its tool list; uvx downloads at its first start.
    return {**entry, "timeout": 60_000}


def _named(start: Start) -> Entry:
    """Continue's list holds entries with a name."""
    return {"name": SERVER_NAME, "type": "stdio", **_plain(start)}


def _http(key: str, *, kind: str | None = None, more: Entry | None = None) -> Callable[[Start], Entry]:
    """``key`` holds the address."""

    def shape(start: Start) -> Entry:
        entry: Entry = {"type": kind} if kind else {}
        entry[key] = start.url
        return {**entry, **({"headers": start.headers} if start.token else {}), **(more or {})}

    return shape


def _continue_http(start: Start) -> Entry:
    entry: Entry = {"name": SERVER_NAME, "type": "streamable-http", "url": start.url}
    return {**entry, "requestOptions": {"headers": start.headers}} if start.token else entry


def _codex_http(start: Start) -> Entry:
    return {"url": start.url, **({"http_headers": start.headers} if start.token else {})}


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

CLIENTS: Final[Mapping[str, Client]] = {
    "claude-desktop": Client(
        "Claude Desktop",
        _user_data("Claude/claude_desktop_config.json"),
        _plain,
        None,
        (
            "In Settings, Developer, choose Edit Config to open the file.",
            _MERGE,
            "Quit Claude Desktop entirely and start it again.",
        ),
        keeps_environment=False,
    ),
    "claude-code": Client(
        "Claude Code",
        _everywhere(".claude.json"),
        _typed("stdio"),
        _http("url", kind="http"),
        ("For one project, put the text into .mcp.json in its root instead.", _MERGE, "Check with: claude mcp list"),
        keeps_environment=True,
    ),
    "cursor": Client(
        "Cursor",
        _everywhere(".cursor/mcp.json"),
        _plain,
        _http("url"),
        (
            "For one project, use .cursor/mcp.json in its root.",
            _MERGE,
            "Enable the server in Cursor's settings, under MCP.",
        ),
        keeps_environment=False,
    ),
    "vscode": Client(
        "VS Code",
        _user_data("Code/User/mcp.json"),
        _typed("stdio"),
        _http("url", kind="http"),
        (
            'Run the command "MCP: Open User Configuration" to open the file, or use .vscode/mcp.json.',
            _MERGE,
            'Start it with "MCP: List Servers".',
        ),
        keeps_environment=True,
        container="servers",
    ),
    "devin-desktop": Client(
        "Devin Desktop (until 2026 Windsurf)",
        _everywhere(".codeium/windsurf/mcp_config.json"),
        _plain,
        _http("serverUrl"),
        (
            "The file kept its place and shape when Windsurf got its new name.",
            _MERGE,
            "Press refresh in the MCP panel.",
            "The number of tools in use is limited: set SSH_TOOLS=core or narrow SSH_ENABLED_GROUPS.",
        ),
        keeps_environment=False,
    ),
    "kilo-code": Client(
        "Kilo Code",
        _everywhere(".config/kilo/kilo.jsonc"),
        _one_list,
        _http("url", kind="remote", more={"enabled": True}),
        (
            "For one project, use kilo.jsonc in its root or .kilo/kilo.jsonc.",
            _MERGE,
            "See it under Settings, Agent Behaviour, MCP Servers.",
        ),
        keeps_environment=True,
        container="mcp",
    ),
    "continue": Client(
        "Continue",
        _everywhere(".continue/config.yaml"),
        _named,
        _continue_http,
        (
            "The editors' extensions and the command line (cn) both read this file.",
            "If it exists already, add the item to its mcpServers list.",
            "Tools are used in agent mode only.",
        ),
        keeps_environment=False,
        format="yaml",
    ),
    "zed": Client(
        "Zed",
        {
            "macos": "~/.config/zed/settings.json",
            "linux": "~/.config/zed/settings.json",
            "windows": "%APPDATA%\\Zed\\settings.json",
        },
        _zed,
        _http("url"),
        (
            'Run the command "zed: open settings file" to open the file.',
            _MERGE,
            "A green dot beside the server in the Agent Panel's settings means that it runs.",
        ),
        keeps_environment=True,
        container="context_servers",
    ),
    "codex": Client(
        "Codex",
        _everywhere(".codex/config.toml"),
        _plain,
        _codex_http,
        ("The command line, the app and the editor extension share this file.", _MERGE, "Check with: codex mcp list"),
        keeps_environment=False,
        container="mcp_servers",
        format="toml",
    ),
    "gemini-cli": Client(
        "Gemini CLI",
        _everywhere(".gemini/settings.json"),
        _plain,
        _http("httpUrl"),
        ("For one project, use .gemini/settings.json in its root.", _MERGE, "Check with: gemini mcp list"),
        keeps_environment=False,
    ),
    "opencode": Client(
        "opencode",
        _everywhere(".config/opencode/opencode.json"),
        _one_list,
        _http("url", kind="remote", more={"enabled": True}),
        ("For one project, use opencode.json in its root.", _MERGE, "Check with: opencode mcp list"),
        keeps_environment=True,
        container="mcp",
    ),
    "copilot-cli": Client(
        "GitHub Copilot CLI",
        _everywhere(".copilot/mcp-config.json"),
        _typed("local", {"tools": ["*"]}),
        _http("url", kind="http", more={"tools": ["*"]}),
        ("COPILOT_HOME moves the directory.", _MERGE, "Check with /mcp show in a session."),
        keeps_environment=True,
    ),
}
_ALIASES: Final = {
    "claude": "claude-desktop",
    "code": "vscode",
    "visualstudiocode": "vscode",
    "windsurf": "devin-desktop",
    "devin": "devin-desktop",
    "cascade": "devin-desktop",
    "kilo": "kilo-code",
    "continuedev": "continue",
    "cn": "continue",
    "codexcli": "codex",
    "openaicodex": "codex",
    "gemini": "gemini-cli",
    "opencodecli": "opencode",
    "copilot": "copilot-cli",
    "githubcopilot": "copilot-cli",
    "githubcopilotcli": "copilot-cli",
}


def client_name(text: str) -> str:
    """The known name for what a person typed. Raises ValueError with the nearest and all names."""
    wanted = text.strip().lower()
    squeezed = re.sub(r"[^a-z]", "", wanted)
    for name in CLIENTS:
        if wanted == name or squeezed == name.replace("-", ""):
            return name
    if squeezed in _ALIASES:
        return _ALIASES[squeezed]
    guess = nearest(wanted, (*CLIENTS, *_ALIASES))
    meant = f" Did you mean {_ALIASES.get(guess, guess)}?" if guess else ""
    raise ValueError(f"There is no client called {shown(text)}.{meant} Known are {', '.join(CLIENTS)}.")
