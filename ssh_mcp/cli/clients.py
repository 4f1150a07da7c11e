"""What to put where, so that an MCP client starts (or reaches) this server.

Each client's file, shape and quirks, looked up in the clients' own documentation (November 2026): Claude Desktop
(modelcontextprotocol.io quickstart), Claude Code (code.claude.com/docs/en/mcp), Cursor (cursor.com/docs/mcp), VS Code
(code.visualstudio.com, MCP configuration reference), Devin Desktop, until 2026 Windsurf (docs.windsurf.com, Cascade
MCP), Kilo Code (kilo.ai/docs/automate/mcp), Continue (docs.continue.dev, MCP deep dive and CLI configuration), Zed
(zed.dev/docs/ai/mcp), Codex (developers.openai.com/codex/mcp), Gemini CLI (geminicli.com/docs/tools/mcp-server),
opencode (opencode.ai/docs/mcp-servers), Copilot CLI (docs.github.com, Adding MCP servers for Copilot CLI).

Nothing here touches a file: ``client_files`` writes them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from ssh_mcp.cli import EXIT_USAGE
from ssh_mcp.cli.output import console, say
from ssh_mcp.distribution import COMMANDS
from ssh_mcp.distribution import NAME as DISTRIBUTION
from ssh_mcp.inventory.values import nearest, shown
from ssh_mcp.settings.model import NAMES, SECRET_NAMES

SERVER_NAME: Final = "ssh-mcp"
Launcher = Literal["uvx", "script"]
System = Literal["macos", "linux", "windows"]
Format = Literal["json", "yaml", "toml"]
Entry = dict[str, object]

_NOT_CARRIED: Final = frozenset(name for name in NAMES if name.startswith("MCP_"))
"""Settings of an HTTP server: one that a client starts speaks on stdin."""
_FILES: Final = frozenset(name for name in NAMES if name.endswith(("_FILE", "_DIR")) or name == "SSH_KNOWN_HOSTS")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?:(?:[<>=!~@ ]).*)?")
"""A name of the package index with extras and versions, as in ``name[extra]>=1`` (PEP 508) and uvx's ``name@1.0``."""
_ARCHIVES: Final = (".whl", ".tar.gz", ".zip")
# Agent sockets whose path is another one after the next login.
_PASSING_SOCKET: Final = re.compile(r"^/(private/)?tmp/|/com\.apple\.launchd\.|/vscode-ssh-auth|/\.ssh/agent/")


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
class Snippet:
    """``text`` goes into the file of ``paths`` for one's system (``~`` and ``%VAR%`` as a person types them).

    ``entry`` is the server's own part of it, below ``container``. ``how`` are the steps around it, in order; ``hints``
    what commonly goes wrong with this client.
    """

    client: str
    title: str
    paths: Mapping[System, str]
    format: Format
    text: str
    container: str
    entry: Entry
    how: tuple[str, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Client:
    """One row. ``started`` and ``reached`` shape the entry for stdio and HTTP; None: it cannot be reached over HTTP."""

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


def _text(known: _Client, entry: Entry) -> str:
    """The whole file with nothing but our entry in it."""
    if known.format == "toml":
        return toml_table(f"{known.container}.{SERVER_NAME}", entry)
    if known.format == "yaml":
        return f"name: Local\nversion: 0.0.1\nschema: v1\n{known.container}:\n{yaml_item(entry)}"
    return json.dumps({known.container: {SERVER_NAME: entry}}, indent=2) + "\n"


def toml_table(name: str, entry: Entry) -> str:
    """A table and the tables in it. JSON's strings and lists of strings are TOML's too."""
    plain = {key: value for key, value in entry.items() if not isinstance(value, dict)}
    text = f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items())
    for key, value in entry.items():
        if isinstance(value, dict):
            text += "\n" + toml_table(f"{name}.{key}", value)
    return text


def yaml_item(entry: Entry) -> str:
    """One item of a list at two blanks. Scalars and lists are JSON, which YAML reads as it is."""
    first, *rest = _yaml_lines(entry)
    return "".join(f"{line}\n" for line in (f"  - {first}", *(f"    {line}" for line in rest)))


def _yaml_lines(entry: Mapping[str, object]) -> list[str]:
    lines: list[str] = []
    for key, value in entry.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {line}" for line in _yaml_lines(value))]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return lines


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
        _plain,
        None,
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
        _typed("stdio"),
        _http("url", kind="http"),
        ("For one project, put the text into .mcp.json in its root instead.", _MERGE, "Check with: claude mcp list"),
        keeps_environment=True,
    ),
    "cursor": _Client(
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
    "vscode": _Client(
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
    "devin-desktop": _Client(
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
    "kilo-code": _Client(
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
    "continue": _Client(
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
    "zed": _Client(
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
    "codex": _Client(
        "Codex",
        _everywhere(".codex/config.toml"),
        _plain,
        _codex_http,
        ("The command line, the app and the editor extension share this file.", _MERGE, "Check with: codex mcp list"),
        keeps_environment=False,
        container="mcp_servers",
        format="toml",
    ),
    "gemini-cli": _Client(
        "Gemini CLI",
        _everywhere(".gemini/settings.json"),
        _plain,
        _http("httpUrl"),
        ("For one project, use .gemini/settings.json in its root.", _MERGE, "Check with: gemini mcp list"),
        keeps_environment=False,
    ),
    "opencode": _Client(
        "opencode",
        _everywhere(".config/opencode/opencode.json"),
        _one_list,
        _http("url", kind="remote", more={"enabled": True}),
        ("For one project, use opencode.json in its root.", _MERGE, "Check with: opencode mcp list"),
        keeps_environment=True,
        container="mcp",
    ),
    "copilot-cli": _Client(
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


def snippet(
    client: str,
    *,
    launcher: Launcher,
    env: Mapping[str, str],
    executable: str | None = None,
    source: str = DISTRIBUTION,
    http: Start | None = None,
) -> Snippet:
    """The text for one client.

    ``env`` is the environment of the terminal in which the person asks: the settings that are set there are carried
    over, without secrets, and so is the agent's socket where the client would not pass it on. ``executable`` is the
    absolute path of uvx or of the installed script (desktop clients have a short PATH); ``source`` is what uvx
    installs from (our name, a path or a ``git+https`` address). ``http``: the address of a server that runs already.
    Raises ValueError for an unknown client, for one that cannot be given an address, and for a source that is another
    project.
    """
    name = client_name(client)
    known = CLIENTS[name]
    how: tuple[str, ...] = known.how
    hints: tuple[str, ...]
    if http is not None:
        if known.reached is None:
            raise ValueError(f"{known.title}'s file names programs only: leave --http out, and it starts the server.")
        entry = known.reached(http)
        hints = ("ssh-mcp doctor tells what is missing; the server reads hosts.toml.",)
    else:
        start = _start(launcher, env, executable, source, keeps_environment=known.keeps_environment)
        entry = known.started(start)
        hints = _hints(known, start, env, executable)
        if name == "claude-code":
            options = [word for key, value in start.env.items() for word in ("--env", f"{key}={value}")]
            words = ["claude", "mcp", "add", SERVER_NAME, "--scope", "user", *options, "--", start.command, *start.args]
            how = (f"Shortest: {shlex.join(words)}", *how)
    text = _text(known, entry)
    return Snippet(name, known.title, known.paths, known.format, text, known.container, entry, how, hints)


def _start(
    launcher: Launcher, env: Mapping[str, str], executable: str | None, source: str, *, keeps_environment: bool
) -> Start:
    carried = {name: _from_anywhere(name, env[name]) for name in NAMES if name in env and _is_carried(name, env)}
    if not keeps_environment and env.get("SSH_AUTH_SOCK"):
        carried = {"SSH_AUTH_SOCK": env["SSH_AUTH_SOCK"], **carried}
    if launcher == "uvx":
        _refuse_another_project(source)
        args = (DISTRIBUTION,) if source == DISTRIBUTION else ("--from", source, DISTRIBUTION)
        return Start(executable or "uvx", args, carried)
    return Start(executable or DISTRIBUTION, (), carried)


def _refuse_another_project(source: str) -> None:
    """Raise ValueError for a name of the package index that is not ours: uvx would run it with the user's keys."""
    named = _REQUIREMENT.fullmatch(source)
    if named is None or re.sub(r"[-_.]+", "-", named[1]).lower() == DISTRIBUTION or source.endswith(_ARCHIVES):
        return
    raise ValueError(
        f"{shown(source)} names another project on the package index. This one is {DISTRIBUTION}; for a directory of "
        "that name write ./ before it."
    )


def _is_carried(name: str, env: Mapping[str, str]) -> bool:
    return bool(env[name].strip()) and name not in SECRET_NAMES and name not in _NOT_CARRIED


def _from_anywhere(name: str, value: str) -> str:
    """Files by their absolute path: a client starts us in a directory of its own."""
    relative = name in _FILES and not value.startswith(("~", "$", "/")) and not Path(value).is_absolute()
    return os.path.abspath(value) if relative else value  # noqa: PTH100 - links stay as the operator wrote them


def _hints(known: _Client, start: Start, env: Mapping[str, str], executable: str | None) -> tuple[str, ...]:
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
    secrets = [name for name in sorted(SECRET_NAMES) if env.get(name, "").strip() and name in NAMES]
    if secrets:
        hints.append(
            f"{', '.join(secrets)}: set here and left out, since such a file is no place for a secret. "
            "Put it into settings.env."
        )
    hints.append("Hosts are read from hosts.toml; ssh-mcp doctor tells what is missing.")
    return tuple(hints)


def show(client: str, *, uvx: bool, source: str | None = None, http: bool = False, write: bool = False) -> int:
    """``ssh-mcp client``: the text on stdout, so that it can be piped, and what to do with it on stderr.

    ``write``: into the client's own file instead, keeping what is there. Raises ConfigError as settings do.
    """
    errors = console(stderr=True)
    try:
        found = _found(client, uvx=uvx, source=source, http=http, write=write)
    except ValueError as error:
        say(errors, f"ssh-mcp: {error}")
        return EXIT_USAGE
    system: System = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")  # type: ignore[assignment]
    if write:
        from ssh_mcp.cli.client_files import write_entry

        say(console(), write_entry(found, found.paths[system]))
    else:
        say(errors, f"{found.title}: {found.paths[system]}")
        print(found.text, end="", flush=True)
    for line in (*(found.how if not write else found.how[-1:]), *found.hints):
        say(errors, f"- {line}", indent=2)
    return 0


def _found(client: str, *, uvx: bool, source: str | None, http: bool, write: bool) -> Snippet:
    script = _this_script()
    uvx = uvx or (script is not None and _is_passing(script))
    executable = shutil.which("uvx") if uvx else script or shutil.which(DISTRIBUTION)
    origin = (_local(source) if source else installed_from()) if uvx else DISTRIBUTION
    return snippet(
        client,
        launcher="uvx" if uvx else "script",
        env=os.environ,
        executable=executable,
        source=origin,
        http=_address(real_token=write) if http else None,
    )


def _address(*, real_token: bool) -> Start:
    """The address of the HTTP server as it is configured. The token itself goes into files only, not on a screen."""
    from ssh_mcp.settings.model import load_settings
    from ssh_mcp.settings.trusted import read_trusted

    settings, _ = load_settings()
    host = settings.mcp_http_host
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    url = f"http://{host}:{settings.mcp_http_port}/mcp"
    file = settings.mcp_http_token_file
    if settings.mcp_auth != "bearer":
        base = settings.mcp_base_url
        return Start(url=f"{base.rstrip('/')}/mcp" if base else url)
    if settings.mcp_http_local_open:
        return Start(url=url)
    if file is None:
        raise ValueError(
            "--http needs MCP_HTTP_TOKEN_FILE, a token that outlives a restart of the server; without it each start "
            "makes a fresh one."
        )
    return Start(
        url=url,
        token=read_trusted(Path(file), secret=True).decode().split("\n")[0]
        if real_token
        else f"(first line of {file})",
    )


def installed_from() -> str:
    """What uvx has to install to get this very program: the place it was installed from (PEP 610), else its name."""
    try:
        origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return DISTRIBUTION
    url = origin.get("url") if isinstance(origin, dict) else None
    if not isinstance(url, str) or not url:
        return DISTRIBUTION
    vcs = origin.get("vcs_info")
    if isinstance(vcs, dict):
        return f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', 'HEAD')}"
    return unquote(urlsplit(url).path) if url.startswith("file:///") and os.sep == "/" else url


def _local(source: str) -> str:
    """A source on this machine by its absolute path: a client starts uvx in a directory of its own."""
    if source.startswith(("./", "../", "~")) or source in (".", "..") or Path(source).is_file():
        return os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - links stay as they were written
    return source


def _this_script() -> str | None:
    """The script that runs now, else the one beside this Python. Another one of that name on PATH may not be ours."""
    path = Path(os.path.abspath(sys.argv[0]))  # noqa: PTH100 - links stay: an environment's script must stay in it
    if path.stem in COMMANDS:
        return str(path)
    beside = Path(sys.executable).with_name(DISTRIBUTION + (".exe" if os.name == "nt" else ""))
    return str(beside) if beside.is_file() else None


def _is_passing(script: str) -> bool:
    """Whether the script lies in an environment that uvx made for one run and may remove."""
    return "archive-v0" in Path(os.path.realpath(script)).parts
