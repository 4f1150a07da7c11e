"""``ssh-mcp client``: what to put into an MCP client's file, so that it starts (or reaches) this server.

The clients are rows of ``client_rows``; ``client_files`` writes into their files.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ssh_mcp.cli import EXIT_USAGE
from ssh_mcp.cli.client_rows import CLIENTS, SERVER_NAME, Client, Entry, Format, Start, System, client_name
from ssh_mcp.cli.client_text import whole_file
from ssh_mcp.cli.installed import absolute_source, installed_from, is_temporary, this_script
from ssh_mcp.cli.output import console, say
from ssh_mcp.distribution import NAME as DISTRIBUTION
from ssh_mcp.inventory.values import shown
from ssh_mcp.settings.model import NAMES, SECRET_NAMES

Launcher = Literal["uvx", "script"]

_NOT_CARRIED: Final = frozenset(name for name in NAMES if name.startswith("MCP_"))
"""Settings of an HTTP server: one that a client starts speaks on stdin."""
_FILES: Final = frozenset(name for name in NAMES if name.endswith(("_FILE", "_DIR")) or name == "SSH_KNOWN_HOSTS")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?:(?:[<>=!~@ ]).*)?")
"""A name of the package index with extras and versions, as in ``name[extra]>=1`` (PEP 508) and uvx's ``name@1.0``."""
_ARCHIVES: Final = (".whl", ".tar.gz", ".zip")
# Agent sockets whose path is another one after the next login.
_PASSING_SOCKET: Final = re.compile(r"^/(private/)?tmp/|/com\.apple\.launchd\.|/vscode-ssh-auth|/\.ssh/agent/")


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
        hints = ("ssh-mcp doctor says what is missing; the server reads hosts.toml.",)
    else:
        start = _start(launcher, env, executable, source, keeps_environment=known.keeps_environment)
        entry = known.started(start)
        hints = _hints(known, start, env, executable)
        if name == "claude-code":
            options = [word for key, value in start.env.items() for word in ("--env", f"{key}={value}")]
            words = ["claude", "mcp", "add", SERVER_NAME, "--scope", "user", *options, "--", start.command, *start.args]
            how = (f"Shortest: {shlex.join(words)}", *how)
    text = whole_file(known, entry)
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


def _hints(known: Client, start: Start, env: Mapping[str, str], executable: str | None) -> tuple[str, ...]:
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
    hints.append("Hosts are read from hosts.toml; ssh-mcp doctor says what is missing.")
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
    script = this_script()
    uvx = uvx or (script is not None and is_temporary(script))
    executable = shutil.which("uvx") if uvx else script or shutil.which(DISTRIBUTION)
    origin = (absolute_source(source) if source else installed_from()) if uvx else DISTRIBUTION
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
