"""The command frame: how shell text runs on a POSIX host, pure.

What sshd is given is constant but for a nonce, and any login shell reads it the same way (sh, bash, fish, csh): one
``exec`` with single-quoted words that hold no quote, backslash, ``!`` or newline, none over csh's 1,024 characters. Two
shells come of it::

    parent  outlives every signal that can be caught, so that its exit status tells what became of the child
      │     (128+n after signal n), and ends both output streams with ``NONCE:STATUS``
    child   begins both output streams with ``NONCE PARENT CHILD`` (process ids), then takes the command from stdin
            and evaluates it; what follows on stdin is the command's own

sshd makes the command's first process a session and group leader, and ``exec`` keeps its id: PARENT is the process
group that a timeout ends. Text before the first mark is rc-file noise and dropped; text behind the last mark comes from
background children. So output is complete as soon as both last marks are there, whoever still holds the pipes.

The command travels over stdin, never in an argv: it is not bound by argument limits, shows in no process list, and a
session can be opened ahead. It is one line: the nonce (had an rc file eaten part of the input, it would be missing, and
nothing runs), then ``.`` and the text, or ``%`` and the text escaped for printf's ``%b``. ``read`` takes byte by byte
and leaves the rest of stdin alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from transports.errors import SessionRefused

COMMAND_MAX: Final = 1 << 20
"""Bytes. The remote shell reads the command with one system call a byte: a megabyte takes it about half a second."""
BARE_MAX: Final = 120_000
"""Bytes of a command without a frame: it travels in an argv, of which one word takes 128 KiB on Linux (execve(2))."""
NOISE_MAX: Final = 2048
"""Bytes of rc-file noise kept for an error text: the last ones."""
EATEN_STATUS: Final = 125
"""Exit status of the child where the command did not arrive whole (then ``was_eaten`` of its stderr is true)."""

# fd 3 keeps the parent's own notices ("Terminated") out of the command's stderr; the subshell, because dash redirects
# before it forks and so would write its notice there all the same.
_PARENT: Final = (
    "trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2;exec 3>&2 2>/dev/null;"
    '(exec sh -c "$1" 2>&3 3>&-);s=$?;echo $0:$s;echo $0:$s >&3;exit $s'
)
# A shell whose printf is no builtin (mksh, OpenBSD's ksh) takes escaped text of an argument's size only: 126 otherwise.
_CHILD: Final = (
    "_k={nonce};echo $_k $PPID $$;echo $_k $PPID $$ >&2;IFS= read -r _c||_c=;"
    'case $_c in $_k.*)_c=${{_c#*.}};;$_k%*)_c=$(printf %b "${{_c#*%}}.")||exit 126;_c=${{_c%.}};;'
    '*)echo $_k >&2;exit {eaten};esac;eval "unset _k _c;$_c"'
)
_FIRST: Final = re.compile(rb" (\d{1,10}) (\d{1,10})\n")
_LAST: Final = re.compile(rb":(\d{1,3})\n")
_PLAIN: Final = re.compile(rb"[\x20-\x7e\t]*")
_UNSAFE: Final = re.compile(rb"[^\x20-\x5b\x5d-\x7e]")
_ESCAPED: Final = {i: f"\\0{i:03o}".encode() for i in range(1, 256) if not (0x20 <= i < 0x7F and i != 0x5C)}


def remote_command(nonce: str) -> bytes:
    """What sshd is to run: the two shells, waiting for a command. ``nonce`` is hexadecimal, fresh for each session."""
    child = _CHILD.format(nonce=nonce, eaten=EATEN_STATUS)
    return f"exec sh -c '{_PARENT}' {nonce} '{child}'".encode()


def check_command(command: str, limit: int = COMMAND_MAX) -> bytes:
    """The command's bytes (UTF-8 with surrogateescape). Raises SessionRefused where they cannot be sent."""
    try:
        text = command.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SessionRefused(
            "The command holds half a surrogate pair, which is no character.", "Send it as UTF-8.", sent=False
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
    """The first bytes of stdin: the command. Raises what ``check_command`` does."""
    text = check_command(command)
    if _PLAIN.fullmatch(text):
        return b"%b.%b\n" % (nonce.encode(), text)
    # Escaped, because bash's read may take a newline for the second half of a broken multi-byte character, and because
    # collecting line by line is quadratic (15 s for 20,000 lines in dash). The decoding costs the host one fork.
    return b"%b%%%b\n" % (nonce.encode(), _UNSAFE.sub(lambda m: _ESCAPED[m[0][0]], text))


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
    Bytes behind the last mark are dropped.
    """

    __slots__ = ("_held", "_nonce", "noise", "processes", "status")

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce.encode()
        self._held = b""
        self.processes: Processes | None = None
        self.status: int | None = None
        self.noise = b""

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

_TERM_POLLS: Final = 20
"""Tenths of a second between TERM and KILL."""
# Signals what made a process group of its own within the frame's session, as timeout(1) and job control do; 0 only asks
# whether there is any. The session is the frame's only where the group leads it. Without /proc (BSD, macOS) ps tells:
# its word for sessions is sid or sess, sess may be an address or, kept from us, 0.
_BESIDE: Final = """k= x=
if [ ! -r /proc/self/stat ]; then
  for w in sid sess; do
    [ -n "$k" ] && break
    x=$(ps -o $w= -p $g | tr -d ' -') && [ "${x:-0}" != 0 ] && k=$w
  done
  case $(ps -o stat= -p $g) in *s*) ;; *) k= ;; esac
fi 2>/dev/null
beside() {
  r=1
  if [ -n "$k" ]; then
    for q in $(ps -A -o pid= -o pgid= -o $k= -o stat= |
      awk -v g=$g -v x=$x '$2 != g && $3 == x && $4 !~ /Z/ {print $1}'); do
      kill -$1 $q && r=0
    done 2>/dev/null
    return $r
  fi
  for f in /proc/[0-9]*/stat; do
    IFS= read -r l <"$f" || continue
    q=${l%% *}
    set -- $1 ${l##*\\) }
    [ "$5" = $g ] && [ "$4" != $g ] && [ "$2" != Z ] && r=0 && kill -$1 $q
  done 2>/dev/null
  return $r
}"""


def end_group_script(nonce: str, processes: Processes, *, certain: bool = False) -> str:
    """Shell text that ends a frame's process group and session: TERM, up to two seconds of grace, KILL.

    It first makes sure that the id still is that frame's: after a restart, or behind a name that stands for several
    machines, it may be a stranger's. Where neither /proc nor ps can tell (a bare chroot) it goes on only if the caller
    is ``certain``: it runs over the same connection as the frame, whose session is open. Exit status 0: the group is
    gone; 3: it was not there.
    """
    group = processes.parent
    # kill -0 also finds zombies, which a container's careless init leaves lying about: after a while, look closer.
    return f"""{_find_group(nonce, group, certain=certain)}
{_BESIDE}
kill -TERM -$g || exit 3
beside TERM
i=0
lives() {{
  kill -0 -$g 2>/dev/null || return 1
  [ $i -gt 2 ] && [ -r /proc/self/stat ] || return 0
  cat /proc/[0-9]*/stat | sed 's/.*) //' | awk -v g=$g '$3 == g && $1 != "Z" {{ f = 1 }} END {{ exit !f }}'
  [ $? != 1 ]
}} 2>/dev/null
while [ $i -lt {_TERM_POLLS} ]; do
  lives || beside 0 || exit 0
  sleep 0.1 2>/dev/null || sleep 1
  i=$((i+1))
done
kill -KILL -$g 2>/dev/null
beside KILL
exit 0"""


def signal_script(
    nonce: str, processes: Processes, signal: str, *, children_only: bool = False, certain: bool = False
) -> str:
    """Shell text that signals (``INT`` and the like) a frame's process group, or all of it but the frame's two shells.

    ``certain`` as for ``end_group_script``. Exit status 3: the group is not there. No children is no error. Raises
    ValueError on what is no signal name.
    """
    if not re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", signal):
        raise ValueError(f"{signal!r} is no signal name")
    find = _find_group(nonce, processes.parent, certain=certain)
    if not children_only:
        return f"{find}\n{_BESIDE}\nkill -{signal} -$g || exit 3\nbeside {signal}\nexit 0"
    # dash and BusyBox have no pkill, and a small container no ps: /proc first, by builtins alone.
    return f"""{find}
own={processes.child}
if [ -r /proc/self/stat ]; then
  for f in /proc/[0-9]*/stat; do
    IFS= read -r l <"$f" || continue
    p=${{l%% *}}
    set -- ${{l##*\\) }}
    {{ [ "$3" = $g ] || [ "$4" = $g ]; }} && [ $p != {processes.parent} ] && [ $p != $own ] && kill -{signal} $p
  done
else
  ps -A -o pid= -o pgid= | while read -r p q; do
    [ "$q" = $g ] && [ $p != {processes.parent} ] && [ $p != $own ] && kill -{signal} $p
  done
fi 2>/dev/null
exit 0"""


def _find_group(nonce: str, parent: int, *, certain: bool) -> str:
    # Where a wrapper stands between sshd and us (ForceCommand), the group is the wrapper's. -ww: some ps cut at 80.
    nobody_tells = " || { [ ! -r /proc/self/stat ] && ! ps -p $$ >/dev/null; }" if certain else ""
    return f"""p={parent}
{{ grep -q {nonce} /proc/$p/cmdline || ps -ww -o args= -p $p | grep -q {nonce}{nobody_tells}; }} 2>/dev/null || exit 3
g=$p
kill -0 -$g 2>/dev/null || g=$(ps -o pgid= -p $p | tr -d ' ')"""


_SIGNALS: Final[dict[int, str]] = {
    1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1",
    11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS",
}  # fmt: skip
"""Linux's numbers; those up to 15 except 7, 10 and 12 are the same everywhere."""


def signal_name(status: int) -> str | None:
    """Name of the signal behind a shell's exit status of 128+n (``"TERM"`` for 143), else None."""
    return _SIGNALS.get(status - 128)
