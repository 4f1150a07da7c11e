"""One audit line as one line of text, for the table and for the console."""

from __future__ import annotations

import time
from typing import Final

from ssh_mcp.audit.reader import began
from ssh_mcp.audit.record import AuditRecord

HEADING: Final = f"{'time':<19} {'host':<16} {'tool':<24} {'ms':>7}  result"

NO_STATUS: Final = -1
"""The exit code of a command that was ended: by a timeout, a signal or a cancelled call."""


def row(record: AuditRecord) -> str:
    """When, where, what, how long, and how it ended. A name in it cannot move a terminal."""
    when = shown_time(began(record))
    return plain(f"{when} {where(record):<16} {record.tool:<24} {record.duration_ms:>7}  {outcome(record)}")


def shown_time(seconds: float) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def where(record: AuditRecord) -> str:
    """The host, or how many."""
    return f"{len(record.hosts)} hosts" if record.hosts else record.alias or record.host or "-"


def outcome(record: AuditRecord) -> str:
    """How it ended, and what else is known: status, approval, job, text of the command, who called."""
    parts = [ending(record)]
    if record.approval is not None:
        by = f" by {record.approval.who}" if record.approval.who else ""
        parts.append(f"{record.approval.outcome}{by} ({record.approval.channel})")
    if record.job:
        parts.append(f"job {record.job}")
    if record.command:
        parts.append(record.command)
    elif record.paths:
        parts.append(" ".join(record.paths))
    if record.client:
        parts.append(f"[{record.client}]")
    return "  ".join(parts)


def ending(record: AuditRecord) -> str:
    """The refusal or failure, else the exit status that is not 0, else ``ok``. A failed call's status is a probe's."""
    if record.error:
        return record.error
    if record.exit_code == NO_STATUS:
        return "no exit status"
    return f"exit {record.exit_code}" if record.exit_code else record.result


def plain(text: str) -> str:
    """Without characters that move a terminal or change the order of others."""
    return "".join(c if c.isprintable() else "?" for c in text)
