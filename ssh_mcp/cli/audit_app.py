"""The subcommands of ``ssh-mcp audit``: names, arguments and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

from ssh_mcp.cli.parameters import SERVER, Json

audit_app = App(
    name="audit",
    help="Look at the audit: what was done, by whom, and how it ended.",
    help_epilogue="",
    usage="Usage: ssh-mcp audit COMMAND",
    group=SERVER,
    group_commands="Commands",
)

File = Annotated[Path | None, Parameter(help="The audit file; SSH_AUDIT_FILE by default. Rotated ones are found.")]
HostName = Annotated[str | None, Parameter(help="Only this host (alias or hostname).")]
Tool = Annotated[str | None, Parameter(help="Only this tool; * matches anything.")]
Tier = Annotated[Literal["read", "low-access", "dangerous", "sudo"] | None, Parameter(help="Only this tier.")]
Since = Annotated[str | None, Parameter(help="2h, 3d, today, yesterday, 21:30, 2026-11-27 or 2026-11-27T21:30.")]
Until = Annotated[str | None, Parameter(help="Likewise.")]
Errors = Annotated[bool, Parameter(negative="", show_default=False, help="Only what failed or was refused.")]
Follow = Annotated[bool, Parameter(negative="", show_default=False, help="Go on with new lines until Ctrl+C.")]


@audit_app.command(sort_key=1, help_epilogue="")
def show(
    *,
    host: HostName = None,
    tool: Tool = None,
    tier: Tier = None,
    since: Since = None,
    until: Until = None,
    errors: Errors = False,
    follow: Follow = False,
    file: File = None,
    as_json: Json = False,
) -> int:
    """Show calls, oldest first, one per line (--json: one object per line); a broken chain is reported at the top."""
    from ssh_mcp.cli.audit import query_of
    from ssh_mcp.cli.audit import show as show_lines

    return show_lines(file, query_of(host, tool, tier, since, until, errors=errors), follow_on=follow, as_json=as_json)


@audit_app.command(sort_key=2, help_epilogue="")
def tail(
    *,
    lines: Annotated[int, Parameter(name=["--lines", "-n"], help="How many.")] = 20,
    host: HostName = None,
    tool: Tool = None,
    tier: Tier = None,
    errors: Errors = False,
    follow: Follow = False,
    file: File = None,
    as_json: Json = False,
) -> int:
    """Show the last calls."""
    from ssh_mcp.cli.audit import query_of
    from ssh_mcp.cli.audit import tail as tail_lines

    query = query_of(host, tool, tier, None, None, errors=errors)
    return tail_lines(file, lines, query, follow_on=follow, as_json=as_json)


@audit_app.command(sort_key=3, help_epilogue="")
def summary(
    *,
    host: HostName = None,
    since: Since = None,
    until: Until = None,
    file: File = None,
    as_json: Json = False,
) -> int:
    """Count calls by host and tool; name the slowest, what was refused, and what a person decided."""
    from ssh_mcp.cli.audit import query_of, summarize

    return summarize(file, query_of(host, None, None, since, until), as_json=as_json)


@audit_app.command(sort_key=4, help_epilogue="")
def report(
    output: Annotated[Path, Parameter(help="The HTML file to write.")],
    /,
    *,
    host: HostName = None,
    since: Since = None,
    until: Until = None,
    file: File = None,
) -> int:
    """Write one HTML page: when, where, what, the slowest, what was refused and why, and approvals."""
    from ssh_mcp.cli.audit import query_of
    from ssh_mcp.cli.audit import report as write_report

    return write_report(output, file, query_of(host, None, None, since, until))


@audit_app.command(name="play", sort_key=6, help_epilogue="")
def play_recording(
    recording: Annotated[str | None, Parameter(help="A session's, job's or call's id; none: list recordings.")] = None,
    /,
    *,
    directory: Annotated[
        Path | None, Parameter(name="--dir", help="Where recordings are; SSH_RECORD_DIR by default.")
    ] = None,
    speed: Annotated[float, Parameter(validator=validators.Number(gt=0), help="How many times faster.")] = 1.0,
    idle: Annotated[float, Parameter(validator=validators.Number(gte=0), help="The longest pause, in seconds.")] = 2.0,
    at_once: Annotated[bool, Parameter(negative="", show_default=False, help="Print it without any pause.")] = False,
) -> int:
    """Play a recording (SSH_RECORD_DIR) after comparing its hash with the audit's."""
    from ssh_mcp.cli.play import play

    return play(recording, directory, speed=speed, idle=idle, at_once=at_once)


@audit_app.command(sort_key=5, help_epilogue="")
def verify(
    *files: Annotated[
        Path,
        Parameter(name="FILE", help="Audit files, oldest first; SSH_AUDIT_FILE with its rotated files by default."),
    ],
    expect_last: Annotated[
        str | None, Parameter(help="The hash that the last line must have, noted elsewhere.")
    ] = None,
) -> int:
    """Check the chain of an audit file; names the first line that was changed, removed or moved."""
    from ssh_mcp.cli.audit import verify as verify_files

    return verify_files(list(files), expect_last)
