"""``ssh-mcp demo``: the main job on a throwaway host, through a real MCP client over stdio, with timings."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console
from rich.markup import escape

from ssh_mcp.cli.throwaway_sshd import NoSshd, ThrowawayHost, throwaway_sshd

if TYPE_CHECKING:
    from fastmcp import Client

HOSTS = """\
[hosts.demo]
hostname = "127.0.0.1"
port = {port}
user = "{user}"
path_allowlist = ["{root}/files"]
command_allowlist = ["uname", "printf", "sleep", "env"]
notes = "A throwaway host: anything you change is gone in a minute."

[hosts.demo.auth]
method = "key"
key = "{key}"
identities_only = true
"""

SHOWN = 8
"""Lines of an answer that are printed."""


def demo() -> int:
    """Run it. Answers the exit status; nothing is left behind, also after Ctrl-C."""
    console = Console(highlight=False, width=min(Console().width, 120))
    for name in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: the event loop cancels what runs, and all blocks are left in order.
        signal.signal(name, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with throwaway_sshd() as host:
            anyio.run(_show, console, host)
    except NoSshd as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. Everything the demo started is stopped and removed.")
        return 130
    console.print("\nEverything the demo started is stopped and removed.")
    return 0


async def _show(console: Console, host: ThrowawayHost) -> None:
    files = host.root / "files"
    files.mkdir()
    (files / "motd.txt").write_text("Welcome to the demo host.\nThe disk is fine.\n")
    (files / "app.env").write_text("DB_HOST=db.internal\nDB_PASSWORD=correct-horse-battery\nDEBUG=false\n")
    (host.root / "hosts.toml").write_text(
        HOSTS.format(port=host.port, user=host.user, root=host.root, key=host.key), encoding="utf-8"
    )
    environment = _environment(host)
    console.rule("[bold]A first server process")
    async with _client(environment) as client:
        await _tour(console, client, files)
        console.rule("[bold]A second server process, which adopts the live master")
        async with _client(environment) as second:
            await _call(console, second, "No second login", "ssh_host_ping", host="demo")
            await _call(console, second, "The same connection", "ssh_session_list")


async def _tour(console: Console, client: Client[Any], files: Path) -> None:
    root = str(files)
    await _call(console, client, "Which hosts are there?", "ssh_host_list")
    await _call(console, client, "Log in (cold)", "ssh_host_ping", host="demo")
    await _call(console, client, "Again (warm)", "ssh_host_ping", host="demo")
    await _call(console, client, "What machine is it?", "ssh_host_info", host="demo")
    await _call(console, client, "List a directory", "ssh_sftp_list", host="demo", path=root)
    await _call(console, client, "Read a file", "ssh_sftp_download", host="demo", path=f"{root}/motd.txt")
    await _call(console, client, "Read one with secrets", "ssh_read_redacted", host="demo", path=f"{root}/app.env")
    await _call(console, client, "Run a command", "ssh_exec_run", host="demo", command="uname -sr")
    await _call(
        console, client, "A secret in its output is masked", "ssh_exec_run", host="demo",
        command="printf 'user=demo\\npassword=hunter2-hunter2\\n'",
    )  # fmt: skip
    await _call(
        console, client, "A timeout ends the whole process group", "ssh_exec_run", host="demo",
        command="printf 'so far'; sleep 600", timeout=1,
    )  # fmt: skip
    await _call(
        console, client, "Refused: a program hidden behind ';'", "ssh_exec_run", host="demo",
        command="uname; rm -rf /",
    )  # fmt: skip
    await _call(console, client, "Refused: a path outside", "ssh_sftp_download", host="demo", path="/etc/passwd")
    await _call(console, client, "Which connections are open?", "ssh_session_list")


async def _call(console: Console, client: Client[Any], title: str, tool: str, **arguments: Any) -> None:
    began = time.perf_counter()
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    took = (time.perf_counter() - began) * 1000
    told = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
    console.print(f"\n[bold]{escape(title)}[/]  [dim]{took:.1f} ms[/]\n  [cyan]{tool}[/]({escape(told)})")
    if result.is_error:
        text = getattr(result.content[0], "text", "") if result.content else ""
        console.print(f"  [yellow]{escape(text)}[/]")
        return
    for line in _lines(result.structured_content or {}):
        console.print(f"  {escape(line)}", overflow="ellipsis", no_wrap=True)


def _lines(answer: dict[str, Any]) -> list[str]:
    """The fields that say something, one a line, lists by their elements."""
    lines: list[str] = []
    for key, value in answer.items():
        if value in (None, "", [], {}, False) or key in {"host", "content_base64"}:
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [
                f"{key}: " + "  ".join(f"{k}={v}" for k, v in item.items() if v not in (None, "", [])) for item in value
            ]
        elif isinstance(value, str) and "\n" in value.rstrip("\n"):
            lines += [f"{key}:", *(f"  {part}" for part in value.rstrip("\n").split("\n"))]
        else:
            lines.append(f"{key}: {value}".rstrip("\n"))
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"… {len(lines) - SHOWN} more"]


@asynccontextmanager
async def _client(environment: dict[str, str]) -> AsyncIterator[Client[Any]]:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    transport = StdioTransport(
        command=sys.executable, args=["-m", "ssh_mcp"], env=environment, keep_alive=False, log_file=Path(os.devnull)
    )
    async with Client(transport) as client:
        yield client


def _environment(host: ThrowawayHost) -> dict[str, str]:
    """Nothing of the user's own ssh set-up: the demo stands on its own."""
    runtime = host.root / "run"
    runtime.mkdir(mode=0o700)
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(host.root),
        "XDG_RUNTIME_DIR": str(runtime),
        "SSH_HOSTS_FILE": str(host.root / "hosts.toml"),
        "SSH_KNOWN_HOSTS": str(host.known_hosts),
        "SSH_HOST_NOTES_DIR": str(host.root / "notes"),
        "ALLOW_DANGEROUS_TOOLS": "true",
        "SSH_REDACT_SALT": os.urandom(24).hex(),
        "LOG_LEVEL": "ERROR",
    }
