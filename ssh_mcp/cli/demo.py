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


def demo() -> int:
    """Run it. Returns the exit status; nothing is left behind, also after Ctrl-C."""
    console = Console(highlight=False, width=min(Console().width, 120))
    for name in {"SIGTERM", "SIGHUP"} & {known.name for known in signal.Signals}:
        # As Ctrl-C: the event loop cancels what runs, and all blocks are left in order.
        signal.signal(signal.Signals[name], lambda *_: signal.raise_signal(signal.SIGINT))
    console.print("Making keys and starting a throwaway sshd on loopback ...")
    try:
        with throwaway_sshd() as host:
            surprises = anyio.run(_show, console, host)
    except NoSshd as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. Everything the demo started is stopped and removed.")
        return 130
    console.print("\nEverything the demo started is stopped and removed.")
    if surprises:
        console.print(f"[red]{surprises} of its steps did not end as expected.[/]")
    return 1 if surprises else 0


async def _show(console: Console, host: ThrowawayHost) -> int:
    """Returns how many steps did not end as expected."""
    files = host.root / "files"
    files.mkdir()
    (files / "motd.txt").write_text("Welcome to the demo host.\nThe disk is fine.\n")
    (files / "app.env").write_text("DB_HOST=db.internal\nDB_PASSWORD=correct-horse-battery\nDEBUG=false\n")
    (host.root / "hosts.toml").write_text(
        HOSTS.format(port=host.port, user=host.user, root=host.root, key=host.key), encoding="utf-8"
    )
    environment = _environment(host)
    console.print(
        f"A throwaway sshd listens on 127.0.0.1:{host.port}. A real MCP client starts the server over stdio and calls "
        "its tools; the times are what that client waits."
    )
    console.rule("[bold]A first server process")
    async with _client(environment) as client:
        first = _Guide(console, client)
        await _tour(first, str(files))
        console.rule("[bold]A second server process, which adopts the live connection")
        async with _client(environment) as second:
            adopted = _Guide(console, second)
            await adopted.call("No second login", "ssh_host_ping", "reachable", "latency_ms", host="demo")
            await adopted.call("The same connection, by its pid", "ssh_session_list", "sessions")
    logins = (host.root / "sshd.log").read_text(errors="replace").count("Accepted publickey")
    console.print(f"\nsshd's own log counts the logins of all this: [bold]{logins}[/]")
    return first.surprises + adopted.surprises + (logins != 1)


async def _tour(guide: _Guide, root: str) -> None:
    call = guide.call
    await call("Which hosts are there?", "ssh_host_list", "hosts")
    await call("Log in (cold)", "ssh_host_ping", "reachable", "server_banner", "operator_notes", host="demo")
    await call("Again (warm)", "ssh_host_ping", "reachable", "latency_ms", host="demo")
    await call("What machine is it?", "ssh_host_info", "uname", "uptime", "cpu_model", "cpu_count", host="demo")
    await call("List a directory", "ssh_sftp_list", "entries", host="demo", path=root)
    await call("Read a file", "ssh_sftp_download", "content_text", host="demo", path=f"{root}/motd.txt")
    await call("Read one that is there to hold secrets", "ssh_sftp_download", host="demo", path=f"{root}/app.env")
    await call("Read it redacted", "ssh_read_redacted", "content", host="demo", path=f"{root}/app.env")
    await call("Run a command", "ssh_exec_run", "stdout", "exit_code", host="demo", command="uname -sr")
    leak = "printf 'user=demo\\npassword=hunter2-hunter2\\n'"
    await call("A secret in its output is masked", "ssh_exec_run", "stdout", host="demo", command=leak)
    await call(
        "A timeout ends the whole process group", "ssh_exec_run", "stdout", "timed_out", "hint",
        host="demo", command="printf 'so far'; sleep 600", timeout=1,
    )  # fmt: skip
    await call("A program hidden behind ';'", "ssh_exec_run", host="demo", command="uname; rm -rf /")
    await call("A path outside", "ssh_sftp_download", host="demo", path="/etc/passwd")
    await call("Which connections are open?", "ssh_session_list", "sessions")


class _Guide:
    """Calls tools and prints what came of it."""

    def __init__(self, console: Console, client: Client[Any]) -> None:
        self._console = console
        self._client = client
        self.surprises = 0

    async def call(self, title: str, tool: str, /, *shown: str, **arguments: Any) -> None:
        """Call a tool and print the fields ``shown`` of its result. Without any, the call must be refused."""
        began = time.perf_counter()
        result = await self._client.call_tool(tool, arguments, raise_on_error=False)
        took = (time.perf_counter() - began) * 1000
        given = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
        self._console.print(f"\n[bold]{escape(title)}[/]  [dim]{took:.1f} ms[/]\n  [cyan]{tool}[/]({escape(given)})")
        self.surprises += result.is_error == bool(shown)
        if result.is_error:
            text = getattr(result.content[0], "text", "") if result.content else ""
            self._console.print(f"  [yellow]{'failed' if shown else 'refused'}: {escape(text)}[/]")
            return
        fields = result.structured_content or {}
        for line in _lines({name: fields[name] for name in shown if name in fields}):
            self._console.print(f"  {escape(line)}", overflow="ellipsis", no_wrap=True)


def _lines(result: dict[str, Any]) -> list[str]:
    """One per line; lists by their elements, texts of more lines below their name."""
    lines: list[str] = []
    for key, value in result.items():
        if isinstance(value, list):
            lines += [
                f"{key}: " + "  ".join(f"{k}={v}" for k, v in each.items() if v not in (None, "", [])) for each in value
            ]
        elif isinstance(value, str) and "\n" in value.rstrip("\n"):
            lines += [f"{key}:", *(f"  {part}" for part in value.rstrip("\n").split("\n"))]
        else:
            lines.append(f"{key}: {value}".rstrip("\n"))
    return lines


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
    """Nothing of the user's own ssh set-up: the demo needs none of it."""
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
