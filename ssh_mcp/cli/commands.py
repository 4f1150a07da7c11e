"""The command line: names, arguments and help; each command's work stands in a module of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError
from rich.console import Console

from ssh_mcp.errors import ConfigError, Refusal, public_text
from transports.errors import TransportError

HELP = """SSH for language models through the OpenSSH you already have, under your policy.

Without a command it serves MCP on stdin and stdout; that is what a client's configuration calls. Settings come from the
environment and `.env`, hosts from `hosts.toml`: see `ssh-mcp init` and `ssh-mcp doctor`.
"""

EXIT_USAGE = 64
"""Exit status for a command line that cannot be understood (sysexits.h EX_USAGE)."""


def _version() -> str:
    from importlib import metadata

    return metadata.version("ssh-mcp")


app = App(name="ssh-mcp", help=HELP, help_format="markdown", version=_version, version_flags=["--version"])
audit_app = App(name="audit", help="The audit file (SSH_AUDIT_FILE).")
app.command(audit_app)

Host = Annotated[str, Parameter(help="An alias of hosts.toml, or a name of SSH_HOSTS_ALLOWLIST.")]
ClientName = Literal["claude-desktop", "claude-code", "cursor", "vscode", "windsurf", "kilo-code", "continue", "zed"]


@app.command
def serve() -> int:
    """Serve MCP (stdio, or HTTP as MCP_TRANSPORT says). The same as no command at all."""
    from ssh_mcp.serve import serve as run_server

    return run_server()


@app.command
def demo() -> int:
    """Show the main tools on a throwaway sshd on loopback; nothing is left behind."""
    from ssh_mcp.cli.demo import demo as run_demo

    return run_demo()


@app.command
def init(
    *,
    config: Annotated[Path | None, Parameter(help="The ssh_config to read; ~/.ssh/config by default.")] = None,
    output: Annotated[Path, Parameter(help="The file to write.")] = Path("hosts.toml"),
    all_hosts: Annotated[bool, Parameter(name="--all", negative="", help="Take every host without asking.")] = False,
) -> int:
    """Write a hosts.toml from the hosts of your ~/.ssh/config, asking which ones."""
    from ssh_mcp.cli.init import write_inventory

    return write_inventory(config, output, take_all=all_hosts)


@app.command
def doctor(
    host: Annotated[str | None, Parameter(help="Look at one host only, and closer; else at all of them.")] = None, /
) -> int:
    """Say what would fail and how to mend it: ssh, agent, environment, known hosts, logins, SFTP, sudo, audit."""
    from ssh_mcp.cli.doctor import examine

    return examine(host)


@app.command
def connect(
    host: Host,
    /,
    *,
    hours: Annotated[float, Parameter(help="How long the connection stays without use.")] = 8.0,
) -> int:
    """Log in by hand (an OTP, a touch, a passphrase) and leave the connection for the server to use."""
    from ssh_mcp.cli.connection import connect as open_by_hand

    return open_by_hand(host, hours * 3600)


@app.command
def disconnect(host: Host, /) -> int:
    """Close a host's connections, also those opened with `connect`."""
    from ssh_mcp.cli.connection import disconnect as close_by_hand

    return close_by_hand(host)


@app.command
def agent() -> int:
    """List the agent's keys with the fingerprints that `identity_fingerprint` takes."""
    from ssh_mcp.cli.connection import show_agent

    return show_agent()


@app.command
def client(
    name: ClientName,
    /,
    *,
    uvx: Annotated[bool, Parameter(negative="", help="Launch with uvx instead of the installed script.")] = False,
) -> int:
    """Print the configuration snippet for an MCP client, and where it goes."""
    from ssh_mcp.cli.clients import show

    return show(name, uvx=uvx)


@audit_app.command
def verify(
    file: Annotated[Path, Parameter(help="The audit file; with rotated ones, oldest first.")],
    /,
    *more: Path,
    expect_last: Annotated[
        str | None, Parameter(help="The hash that the last line must have, noted elsewhere.")
    ] = None,
) -> int:
    """Check the chain of an audit file; names the first line that was changed, removed or moved."""
    from ssh_mcp.cli.audit import verify as verify_file

    return verify_file([file, *more], expect_last)


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Answers the exit status; errors are one line on stderr, never a traceback."""
    errors = Console(stderr=True, highlight=False, markup=False)
    try:
        result = app(
            arguments, exit_on_error=False, print_error=True, error_console=errors, result_action="return_value"
        )
    except CycloptsError:
        return EXIT_USAGE
    except ConfigError as error:
        errors.print(f"ssh-mcp: {error}")
        return 2
    except (Refusal, TransportError) as error:
        errors.print(f"ssh-mcp: {public_text(error)}")
        return 1
    except (KeyboardInterrupt, EOFError):
        errors.print("interrupted")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        errors.print(f"ssh-mcp: {error.strerror or type(error).__name__}: {error.filename or ''}".rstrip(": "))
        return 1
    return result if isinstance(result, int) else 0
