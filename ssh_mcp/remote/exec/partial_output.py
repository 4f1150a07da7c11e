"""What a command had printed when its connection was lost: it reaches the caller, guarded like any output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ssh_mcp.errors import CutShort
from ssh_mcp.guard.long_stream import CONTEXT
from transports.errors import MasterLost

if TYPE_CHECKING:
    from ssh_mcp.guard.guard import Guard
    from ssh_mcp.remote.exec.kept_output import KeptOutput
    from ssh_mcp.remote.host import RemoteHost

SHOWN_CHARS = 16_000
"""The most that an error shows of one stream: its last characters, which show how far the command came."""


@contextmanager
def partial_output_in_errors(host: RemoteHost, kept: KeptOutput | None = None) -> Iterator[None]:
    """A MasterLost that comes out of the block with partial output becomes CutShort.

    ``kept`` has the end of what was longer than the caps.
    """
    try:
        yield
    except MasterLost as lost:
        partial = lost.partial
        if partial is None:
            raise
        from ssh_mcp.guard.shared import guard_for  # late: its patterns are a tenth of the start

        guard = guard_for(host.policy.redaction).knowing(host.call.known_secrets)
        parts = [
            _shown(guard, "stdout", partial.stdout, partial.stdout_total, kept.tail("stdout") if kept else b""),
            _shown(guard, "stderr", partial.stderr, partial.stderr_total, kept.tail("stderr") if kept else b""),
        ]
        shown = "\n".join(part for part in parts if part)
        raise CutShort(lost, shown or "Nothing of its output had arrived.") from None


def _shown(guard: Guard, name: str, kept: bytes, total: int, end: bytes) -> str:
    if not total:
        return ""
    # All that was kept is guarded, and then cut: a secret must not lose the key before it that gives it away.
    whole = len(kept) + len(end) == total
    guarded = guard.text(kept + end if whole else end or kept, truncated=not (whole or end))
    text = guarded.text[CONTEXT:] if end and not whole else guarded.text
    tail = text[-SHOWN_CHARS:]
    if len(tail) < len(guarded.text):
        tail = tail.partition("\n")[2] or tail
    of = "" if whole or end else f" of the first {len(kept)}"
    which = f", the last {len(tail)} characters{of}" if len(tail) < len(guarded.text) else of and f",{of}"
    remarks = "".join(f" {remark}" for remark in guarded.warnings)
    return f"{name} until then ({total} bytes{which}):{remarks}\n{tail}".rstrip("\n")
