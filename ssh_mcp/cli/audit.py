"""``ssh-mcp audit``: reading, summing up and verifying audit files."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from ssh_mcp.audit import reader
from ssh_mcp.audit.chain import verify_all
from ssh_mcp.audit.formats import Format, rendered
from ssh_mcp.audit.record import AuditRecord
from ssh_mcp.audit.report import page
from ssh_mcp.audit.rows import HEADING, row, shown_time
from ssh_mcp.audit.summary import Summary, Tally
from ssh_mcp.audit.times import point_in_time
from ssh_mcp.errors import ConfigError

_RED = "\x1b[31m{}\x1b[0m"
_LATEST = 200
"""Calls listed in a report."""

_MOST = 15
"""Rows of a table of the summary."""


def query_of(
    host: str | None, tool: str | None, tier: str | None, since: str | None, until: str | None, *, errors: bool = False
) -> reader.Query:
    """The query of a command line. Raises ConfigError for a time that cannot be read."""
    now = time.time()
    try:
        start = point_in_time(since, now) if since is not None else None
        end = point_in_time(until, now) if until is not None else None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return reader.Query(host=host, tool=tool, tier=tier, since=start, until=end, errors=errors)


def show(file: Path | None, query: reader.Query, *, follow_on: bool, as_json: bool) -> int:
    """Print the lines that the query wants; 0 also where there are none."""
    current, form = audit_file(file)
    files = reader.audit_files(current)
    warn_if_broken(files, query.since, to_stderr=as_json)
    later = reader.follow(current, query) if follow_on else None
    found = _print(reader.read(files, query), form, as_json=as_json)
    if not found and not as_json and not follow_on:
        print("No call matches.")
    if later is not None:
        _print(later, form, as_json=as_json, heading=not found, flush=True)
    return 0


def tail(file: Path | None, count: int, query: reader.Query, *, follow_on: bool, as_json: bool) -> int:
    """Print the last lines."""
    current, form = audit_file(file)
    later = reader.follow(current, query) if follow_on else None
    _print(reader.last(current, count, query), form, as_json=as_json)
    if later is not None:
        _print(later, form, as_json=as_json, heading=False, flush=True)
    return 0


def summarize(file: Path | None, query: reader.Query, *, as_json: bool) -> int:
    """Print what the wanted lines say together."""
    current, _ = audit_file(file)
    files = reader.audit_files(current)
    warn_if_broken(files, None, to_stderr=as_json)
    total = summed(reader.read(files, query))
    if as_json:
        print(json.dumps(_as_json(total)))
        return 0
    print(f"{total.calls} calls, {total.errors} failed or refused")
    if total.first is not None and total.last is not None:
        print(f"{shown_time(total.first)} to {shown_time(total.last)}")
    _tallies("host", total.hosts)
    _tallies("tool", total.tools)
    if total.refusals:
        print(f"\n{'refused or failed':<28} {'tool':<26} {'host':<18} times")
        for (error, tool, host), times in total.refusals.most_common(_MOST):
            print(f"{error:<28} {tool:<26} {host:<18} {times:>5}")
    if total.asked:
        print("\napprovals: " + ", ".join(f"{count} {outcome}" for outcome, count in total.asked.most_common()))
    if total.slowest:
        print(f"\nslowest\n{HEADING}")
        for record in total.slowest[:5]:
            print(row(record))
    return 0


def report(output: Path, file: Path | None, query: reader.Query) -> int:
    """Write the page, readable by this user alone."""
    current, _ = audit_file(file)
    files = reader.audit_files(current)
    broken = warn_if_broken(files, None, to_stderr=False)
    total, latest = Summary(), deque[AuditRecord](maxlen=_LATEST)
    for record in reader.read(files, query):
        total.add(record)
        latest.append(record)
    text = page(total, list(latest), source=str(current), broken=broken, made=time.time())
    output.unlink(missing_ok=True)  # a former report's mode, or a link, must not decide who can read this one
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    print(f"{output}: {total.calls} calls, {total.errors} failed or refused")
    return 0


def summed(records: Iterable[AuditRecord]) -> Summary:
    """All of them in one summary."""
    total = Summary()
    for record in records:
        total.add(record)
    return total


def audit_file(named: Path | None) -> tuple[Path, Format]:
    """The file to read, and the format of ``--json``. Raises ConfigError where there is none."""
    from ssh_mcp.settings.model import load_settings

    settings, _ = load_settings()
    path = named or (Path(settings.ssh_audit_file) if settings.ssh_audit_file else None)
    if path is None:
        raise ConfigError("No audit is kept: SSH_AUDIT_FILE is not set. Set it, or name a file with --file.")
    if not reader.audit_files(path):
        reason = "does not exist" if not path.exists() else "holds no audit line"
        raise ConfigError(f"The audit file {path} {reason}. Name another one with --file.")
    return path, settings.ssh_audit_format


def warn_if_broken(files: list[Path], since: float | None, *, to_stderr: bool) -> str | None:
    """Say at the top where the chain is broken. Returns the sentence."""
    broken = broken_chain(files, since)
    if broken is not None:
        print(broken, file=sys.stderr if to_stderr else sys.stdout)
    return broken


def broken_chain(files: list[Path], since: float | None) -> str | None:
    """One sentence about the first place where the chain is broken, or None."""
    found = reader.check_chain(files, since)
    if found is None:
        return None
    file, verdict = found
    return (
        f"The chain of {file} is broken at line {verdict.first_bad_line}: {verdict.reason}. "
        "Lines from there on may be forged or missing."
    )


def _print(
    records: Iterable[AuditRecord], form: Format, *, as_json: bool, heading: bool = True, flush: bool = False
) -> int:
    colours = sys.stdout.isatty()
    number = 0
    for record in records:
        if as_json:
            text = rendered(record, form)
        else:
            if heading and not number:
                sys.stdout.write(HEADING + "\n")
            text = row(record)
            if colours and reader.failed(record):
                text = _RED.format(text)
        sys.stdout.write(text + "\n")
        number += 1
        if flush:
            sys.stdout.flush()
    sys.stdout.flush()
    return number


def _tallies(title: str, tallies: dict[str, Tally]) -> None:
    if not tallies:
        return
    print(f"\n{title:<28} {'calls':>8} {'failed':>8} {'mean ms':>9} {'max ms':>9}")
    for name, tally in sorted(tallies.items(), key=lambda item: -item[1].calls)[:_MOST]:
        mean = tally.total_ms / tally.calls
        print(f"{name:<28} {tally.calls:>8} {tally.errors:>8} {mean:>9.0f} {tally.longest_ms:>9}")


def _as_json(total: Summary) -> dict[str, object]:
    return {
        "calls": total.calls,
        "errors": total.errors,
        "first": total.first,
        "last": total.last,
        "hosts": {name: asdict(tally) for name, tally in total.hosts.items()},
        "tools": {name: asdict(tally) for name, tally in total.tools.items()},
        "tiers": dict(total.tiers),
        "clients": dict(total.clients),
        "refusals": [
            {"error": error, "tool": tool, "host": host, "times": times}
            for (error, tool, host), times in total.refusals.most_common()
        ],
        "approvals": [record.to_fields() for record in total.approvals],
        "slowest": [record.to_fields() for record in total.slowest],
    }


def verify(files: list[Path], expect_last: str | None) -> int:
    """Print the verdicts of ``files``, or of the server's own audit without its compressed files.

    Exit status 0 for a whole chain, 1 for a broken one, 2 where a file is missing.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if not files:
        own = reader.audit_files(audit_file(None)[0])
        files = [file for file in own if not reader.is_compressed(file)]
        for file in own:
            if file not in files:
                console.print(f"{file}: not checked; unpack it and name all files")
    missing = [file for file in files if not file.is_file()]
    if missing:
        console.print(f"{missing[0]}: {'is not a regular file' if missing[0].exists() else 'no such file'}")
        return 2
    verdicts = verify_all(files, expect_last=expect_last)
    for file, verdict in verdicts:
        if verdict.ok:
            console.print(f"{file}: {verdict.lines} lines, the chain is whole")
        else:
            where = f"line {verdict.first_bad_line}" if verdict.first_bad_line else "the file"
            console.print(f"{file}: {where}: {verdict.reason}")
        for note in verdict.notes:
            console.print(f"  note: {note}")
    return 0 if all(verdict.ok for _, verdict in verdicts) else 1
