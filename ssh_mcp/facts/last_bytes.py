"""Keep the end of a long output on the host's side: the newest lines of a log are the ones that count."""

from __future__ import annotations

from ssh_mcp.tokens import Command, command


def last_bytes(inner: Command, limit: int) -> Command:
    """``inner`` with at most ``limit`` last bytes of stdout and of stderr each, and its own exit code.

    Both streams go through a ``tail -c`` of their own; the exit code takes a third way, the command substitution.
    Only what every POSIX shell has: no PIPESTATUS, no process substitution.
    """
    return command(
        "exec 9>&1; s=$( { { {", *inner.tokens, "</dev/null; echo $? >&6; }",
        f"2>&8 9>&- | tail -c {limit} >&7; }} 8>&1 | tail -c {limit} >&2; }} 6>&1 7>&9 ); exit $s",
    )  # fmt: skip
