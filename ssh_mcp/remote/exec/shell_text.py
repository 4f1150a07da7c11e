"""What is said to the remote shell of a session. Pure.

The session is one loop in one ``sh``: it reads a line from descriptor 7 (our stdin, which no command ever sees) and
evaluates it. A line says two markers, evaluates the caller's text, and says the end markers with the exit code and the
directory. Markers go to descriptors 8 and 9, so that a command may redirect stdout and stderr of the session for good.

A timeout sends TERM to the whole group. The command's children die of it (KILL follows), and the shell, whose trap runs
as soon as the child in front has ended, says the end markers and *goes on reading lines inside the trap*: it never
returns to the list, loop or function that was interrupted, so that nothing behind the interrupted command runs.
(What a shell does in the middle of one command is its own: with ``a $(b)`` interrupted in ``b``, ``a`` starts, and is
ended by the next signal.)
"""

from __future__ import annotations

import re

from ssh_mcp.tokens import quote

_PLAIN = re.compile(rb"[\x20-\x7e]*")
_UNSAFE = re.compile(rb"[^\x20-\x26\x28-\x5b\x5d-\x7e]")

SESSION = r"""
exec 7<&0 8>&1 9>&2 </dev/null
__ssh_mcp_end='__ssh_mcp_code=$?; trap "$__ssh_mcp_abort" TERM
command printf "\n%s> %s %s\n%s.\n" "$__ssh_mcp_mark" "$__ssh_mcp_code" "$PWD" "$__ssh_mcp_mark" >&8
command printf "\n%s> 0\n%s.\n" "$__ssh_mcp_mark" "$__ssh_mcp_mark" >&9'
__ssh_mcp_loop='while IFS= command read -r __ssh_mcp_line <&7; do command eval "$__ssh_mcp_line"; done; exit'
__ssh_mcp_abort='command eval "$__ssh_mcp_end"; exec </dev/null >&8 2>&9; command eval "$__ssh_mcp_loop"'
trap "$__ssh_mcp_abort" TERM
eval "$__ssh_mcp_loop"
""".strip()
"""The program of a session, run as a framed command."""

LAST_WORDS = b"trap - TERM\n"
"""Said before a session is ended, so that TERM ends the shell too."""


def line(text: str, mark: str) -> bytes:
    """The line by which a session evaluates ``text``. ``mark`` is hexadecimal, fresh for each command.

    ``command eval`` keeps a syntax error from ending the shell; the one-turn loop is what a stray ``break`` leaves.
    """
    return (
        f"__ssh_mcp_mark={mark}; command printf '%s<\\n' {mark} >&8; command printf '%s<\\n' {mark} >&9; "
        f'for __ssh_mcp_once in 1; do command eval {_word(text)}; done; command eval "$__ssh_mcp_end"\n'
    ).encode("utf-8", "surrogateescape")


def _word(text: str) -> str:
    """``text`` as one shell word without a newline: ``read`` ends at the first one, and may stumble over bytes that
    are no characters.
    """
    data = text.encode("utf-8", "surrogateescape")
    if _PLAIN.fullmatch(data):
        return quote(text)
    escaped = _UNSAFE.sub(lambda m: f"\\0{m[0][0]:03o}".encode(), data).decode("ascii")
    return f"\"$(command printf %b '{escaped}')\""
