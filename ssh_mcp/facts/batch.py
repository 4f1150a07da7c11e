"""Many questions in one session, each with its own output and exit code.

After each question the script prints a line ``<mark> <index> <exit code>`` on stdout and on stderr, with one newline
before it that is taken away again, so that output without a final newline, or of arbitrary bytes, comes back as it
was. The mark is random and is put together only at run time: neither the script's text nor a process list (one of the
questions may print it) holds it in one piece. Every question runs in a subshell of its own with an empty stdin: one
that fails, changes directory or exits leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssh_mcp.tokens import Command, Token, lit

NONCE_LENGTH = 32
"""Hexadecimal digits the caller has to bring."""

SETUP = (
    "LC_ALL=C; export LC_ALL; "
    # accounts without root often lack the directories where ip, sysctl and the like are
    'PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"; export PATH;'
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What one question printed. ``exit_code`` None: it did not come to its end (timeout, output cap)."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None

    @property
    def complete(self) -> bool:
        return self.exit_code is not None

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        return self.stderr.decode("utf-8", "replace")


def compose(questions: Sequence[Command], nonce: str) -> Command:
    """One command that asks all. Raises ValueError where ``nonce`` is not 32 hexadecimal digits."""
    if len(nonce) != NONCE_LENGTH or any(c not in "0123456789abcdef" for c in nonce):
        raise ValueError("the nonce is 32 hexadecimal digits")
    half = NONCE_LENGTH // 2
    tokens: list[Token] = [
        lit(SETUP),
        lit(f"q={nonce[:half]}; q=${{q}}{nonce[half:]};"),
        lit('a() { printf \'\\n%s %s %s\\n\' "$q" "$1" "$2"; printf \'\\n%s %s %s\\n\' "$q" "$1" "$2" >&2; };'),
    ]
    for index, question in enumerate(questions):
        tokens += [lit("("), *question.tokens, lit(f") </dev/null; a {index} $?;")]
    tokens.append(lit("exit 0"))
    return Command(tuple(tokens))


def split(stdout: bytes, stderr: bytes, count: int, nonce: str) -> tuple[Reply, ...]:
    """Exactly ``count`` replies; one that never came is empty with ``exit_code`` None."""
    outs = _pieces(stdout, count, nonce)
    errors = _pieces(stderr, count, nonce)
    return tuple(Reply(out, err, code) for (out, code), (err, _) in zip(outs, errors, strict=True))


def _pieces(stream: bytes, count: int, nonce: str) -> list[tuple[bytes, int | None]]:
    pieces: list[tuple[bytes, int | None]] = []
    position = 0
    for index in range(count):
        mark = f"\n{nonce} {index} ".encode()
        found = stream.find(mark, position)
        end = stream.find(b"\n", found + len(mark)) if found >= 0 else -1
        if end < 0:
            pieces.append((stream[position:], None))
            position = len(stream)
            continue
        code = stream[found + len(mark) : end]
        pieces.append((stream[position:found], int(code) if code.isdigit() and len(code) < 5 else None))
        position = end + 1
    return pieces
