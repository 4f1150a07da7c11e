"""The command frame: how shell text runs on a POSIX host, pure.

What sshd is given is constant but for a nonce, and any login shell reads it the same way (sh, bash, fish, csh): one
``exec`` with single-quoted words that hold no quote, backslash, ``!`` or newline, none over csh's 1,024 characters. Two
shells come of it (launch.sh, parent.sh, child.sh)::

    parent  leads a process group; outlives every signal that can be caught, so that it can report what became of the
      │     child (128+n after signal n); ends both output streams with ``NONCE:STATUS``
    child   begins both output streams with ``NONCE PARENT CHILD`` (process ids), then takes the command from stdin
            and evaluates it; what follows on stdin is the command's own

PARENT is the process group that a timeout ends. OpenSSH's sshd makes the command's first process a group leader, and
``exec`` keeps its id; on other servers setsid(1) makes it one. Where that is missing, only what descends from PARENT is
signalled. Text before the first mark is rc-file noise and dropped; text behind the last mark comes from background
children. So output is complete as soon as both last marks are there, whoever still holds the pipes.

The command travels over stdin, never in an argv: it is not bound by argument limits, shows in no process list, and a
session can be opened before its command is known. It is one line. Startup files may hand stdin to another program
(``exec fish``) or read from it: a line that is sent before the first mark came back (``inert_input``) is one word that
no shell can find a program for, whole or without its beginning, and nothing but it is sent until then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from transports.errors import SessionRefused
from transports.openssh.shell.programs import one_line, with_parameters

COMMAND_MAX: Final = 1 << 20
"""Bytes. The remote shell reads the command with one system call a byte: a megabyte takes it about half a second."""
BARE_MAX: Final = 120_000
"""Bytes of a command without a frame: it travels in an argv, of which one word takes 128 KiB on Linux (execve(2))."""
NOISE_MAX: Final = 2048
"""Bytes of rc-file noise kept for an error text: the last ones."""
EATEN_STATUS: Final = 125
"""Exit status of the child where the command did not arrive whole (then ``was_eaten`` of its stderr is true)."""
FRAME_STATUS: Final = 87
"""Exit status of a frame that ran, whatever its command's was: that is in the last marks. Where startup files sent all
output elsewhere, it is the only sign that the command did run."""
INERT_MAX: Final = 4096
"""Bytes of a command that may be sent before the first mark: escaped, a command is up to five times as long."""

_FIRST: Final = re.compile(rb" (\d{1,10}) (\d{1,10})\n")
_LAST: Final = re.compile(rb":(\d{1,3})\n")
_PLAIN: Final = re.compile(rb"[\x20-\x7e\t]*")
_UNSAFE: Final = re.compile(rb"[^\x20-\x5b\x5d-\x7e]")
_ESCAPED: Final = [f"\\0{i:03o}".encode() for i in range(256)]
# What a shell reads as one word between single quotes: no quote, and no backslash (fish) or "!" (csh) either. No "#":
# the closing quote must count wherever reading begins. Example: ``cd /srv && ls -l "$HOME"``.
_QUOTABLE: Final = re.compile(rb"[\x20\x22\x24-\x26\x28-\x5b\x5d-\x7e\t]*")
_NOT_A_WORD: Final = re.compile(rb"[^A-Za-z0-9_./-]")


def remote_command(nonce: str) -> bytes:
    """What sshd is to run: the two shells, waiting for a command. ``nonce`` is hexadecimal, fresh for each session."""
    return f"exec sh -c '{one_line('launch')}' {nonce} '{one_line('parent')}' '{one_line('child')}'".encode()


def check_command(command: str, limit: int = COMMAND_MAX) -> bytes:
    """The command's bytes (UTF-8 with surrogateescape). Raises SessionRefused where they cannot be sent."""
    try:
        text = command.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SessionRefused(
            "The command contains a lone surrogate, which is not valid Unicode.", "Send it as UTF-8.", sent=False
        ) from None
    if b"\0" in text:
        raise SessionRefused("A command cannot hold a NUL byte.", "Write the data to a file instead.", sent=False)
    if len(text) > limit:
        raise SessionRefused(
            f"The command is {len(text)} bytes long; {limit} is the most.",
            "Upload it as a file and run that.",
            sent=False,
        )
    return text


def command_input(nonce: str, command: str) -> bytes:
    """The first bytes of stdin, for a frame whose first mark has come: the command. Raises as ``check_command``."""
    text = check_command(command)
    if _PLAIN.fullmatch(text):
        return b"%b.%b\n" % (nonce.encode(), text)
    return _escaped(nonce, text, _UNSAFE)


def prelude_input(nonce: str, prelude: str) -> bytes:
    """What a frame that has begun may be sent before its command. Raises ValueError on what is not printable ASCII."""
    text = prelude.encode("ascii")
    if not _PLAIN.fullmatch(text):
        raise ValueError("a prelude is one line")
    return b"%b=%b\n" % (nonce.encode(), text)


def behind(prelude: str, command: str, *, sent: str) -> str:
    """``command`` behind ``prelude`` (which ends in ``;`` where it is not empty), in a frame that was ``sent`` one."""
    if sent == prelude:
        return f'eval "unset _p;$_p"; {command}' if prelude else command
    return f"{'unset _p; ' if sent else ''}{prelude} {command}"


def leaving(nonce: str, command: str) -> str:
    """``command``, in which the shell function ``leave`` ends the frame around it with status 0 (leave.sh).

    The command's shell goes on without the session. It needs Linux's /proc.
    """
    return f"_k={nonce}; {one_line('leave')} {command}"


def inert_input(nonce: str, command: str) -> bytes | None:
    """The same for a frame that has not begun yet: harmless to any shell that reads it, or any end of it, as a script.

    Quoted, it is one word with the nonce at both ends, and an end of it lacks the opening quote; escaped, it is one
    word without any special character. None where the command is longer than ``INERT_MAX``.
    """
    text = check_command(command)
    if len(text) > INERT_MAX:
        return None
    if _QUOTABLE.fullmatch(text):
        return b"%b,'%b %b'\n" % (nonce.encode(), text, nonce.encode())
    return _escaped(nonce, text, _NOT_A_WORD)


def _escaped(nonce: str, text: bytes, what: re.Pattern[bytes]) -> bytes:
    # Because bash's read may take a newline for the second half of a broken multi-byte character, and because
    # collecting line by line is quadratic (15 s for 20,000 lines in dash). The decoding costs the host one fork.
    word = what.sub(lambda m: _ESCAPED[m[0][0]], text)
    return b"%b%%%b%%%b_\n" % (nonce.encode(), word, nonce.encode())


def was_eaten(nonce: str, status: int, stderr: bytes) -> bool:
    """Whether the child ended without having seen its command: something ate from stdin, or stdin ended too early."""
    return status == EATEN_STATUS and stderr == nonce.encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Processes:
    """Remote process ids of a frame. ``parent`` is also the process group."""

    parent: int
    child: int


class FrameDecoder:
    """Takes one output stream apart, for sessions on which ``remote_command`` runs.

    ``processes`` is set by the first mark and ``status`` by the last one; ``noise`` is the tail of what came before.
    Bytes behind the last mark are dropped. ``taken`` is set where, instead of a mark, the beginning of what
    ``inert_input`` made came back: another program has read it.
    """

    __slots__ = ("_held", "_nonce", "noise", "processes", "status", "taken", "walk")

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce.encode()
        self._held = b""
        self.processes: Processes | None = None
        self.status: int | None = None
        self.noise = b""
        self.taken = False

    def feed(self, data: bytes) -> bytes:
        """The command's own bytes in ``data``. A tail that may begin a mark is held back until the next call."""
        if self.status is not None:
            return b""
        if self._held:
            data, self._held = self._held + data, b""
        if self.processes is None:
            mark = _find(self._nonce, _FIRST, data)
            if mark is None:
                self._keep_noise(data)
                return b""
            self.noise = (self.noise + data[: mark.start() - len(self._nonce)])[-NOISE_MAX:]
            self.processes = Processes(int(mark[1]), int(mark[2]))
            data = data[mark.end() :]
        return self._body(data)

    def _keep_noise(self, data: bytes) -> None:
        longest_mark = len(self._nonce) + 24
        self.taken = self.taken or self._nonce + b"," in data or self._nonce + b"%" in data
        self._held = data[-longest_mark:]
        self.noise = (self.noise + data[:-longest_mark])[-NOISE_MAX:]

    def _body(self, data: bytes) -> bytes:
        last = _find(self._nonce, _LAST, data)
        if last is not None:
            status = int(last[1])
            # ksh93 says 256+n for a signal, yash 384+n; exit codes have eight bits.
            self.status = status if status < 256 else 128 + (status & 127)
            return data[: last.start() - len(self._nonce)]
        keep = len(data) - _mark_prefix(data, self._nonce)
        self._held = data[keep:]
        return data[:keep]

    def finish(self) -> bytes:
        """What was held back, at the end of the stream: the command's if it ever began, else noise."""
        held, self._held = self._held, b""
        if self.processes is not None:
            return held
        self.noise = (self.noise + held)[-NOISE_MAX:]
        return b""


def _find(nonce: bytes, rest: re.Pattern[bytes], data: bytes) -> re.Match[bytes] | None:
    """The first place in ``data`` where the nonce is followed by ``rest``. Compiling it in costs 0.2 ms a call."""
    at = data.find(nonce)
    while at >= 0:
        if (mark := rest.match(data, at + len(nonce))) is not None:
            return mark
        at = data.find(nonce, at + 1)
    return None


def _mark_prefix(data: bytes, nonce: bytes) -> int:
    """Length of the tail of ``data`` that may yet become a last mark."""
    longest = len(nonce) + 5  # nonce ":" three digits "\n"
    tail = data[-longest:]
    at = tail.find(nonce[:1])
    while at >= 0:
        piece = tail[at:]
        if nonce.startswith(piece) or (piece.startswith(nonce) and re.fullmatch(rb"(:\d{0,3})?", piece[len(nonce) :])):
            return len(piece)
        at = tail.find(nonce[:1], at + 1)
    return 0


# --- ending things --------------------------------------------------------------------------------------------------


def end_group_script(nonce: str, processes: Processes, *, certain: bool = False) -> str:
    """Shell text that ends all of a frame: TERM, up to two seconds of grace, KILL (end.sh).

    It first makes sure that the id still is that frame's. Without /proc and ps (a bare chroot) it goes
    on only if the caller is ``certain``: it runs over the same connection as the frame, whose session is open. Exit
    status 0: the frame is gone; 3: it was not there.
    """
    return with_parameters((*_frame(nonce, processes), str(int(certain))), "walk", "processes", "end")


def signal_script(
    nonce: str, processes: Processes, signal: str, *, children_only: bool = False, certain: bool = False
) -> str:
    """Shell text that signals (``INT`` and the like) a frame, or all of it but the frame's two shells (signal.sh).

    ``certain`` as for ``end_group_script``. Exit status 3: the frame is not there. No children is not an error. Raises
    ValueError on what is not a signal name.
    """
    if not re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", signal):
        raise ValueError(f"{signal!r} is not a signal name")
    who = "children" if children_only else "all"
    return with_parameters((*_frame(nonce, processes), str(int(certain)), signal, who), "walk", "processes", "signal")


def _frame(nonce: str, processes: Processes) -> tuple[str, str, str]:
    return nonce, str(processes.parent), str(processes.child)


_SIGNALS: Final[dict[int, str]] = {
    1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1",
    11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS",
}  # fmt: skip
"""Linux's numbers; those up to 15 except 7, 10 and 12 are the same everywhere."""


def signal_name(status: int) -> str | None:
    """Name of the signal behind a shell's exit status of 128+n (``"TERM"`` for 143), else None."""
    return _SIGNALS.get(status - 128)
