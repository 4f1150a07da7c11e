"""What the programs of remote/exec/jobs say about jobs, parsed: its lines to values. Pure."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import get_args
from urllib.parse import unquote

from ssh_mcp.results.jobs import JobState

_FIELDS = 15
_DIGITS = 15
_LATEST = 1e11
"""Seconds since the epoch: the year 5138."""
_CLOCK = re.compile(r"(e?)(\d{1,15}(?:\.\d{1,9})?)", re.ASCII)
"""``1234.56`` since the boot, or ``e1700000000`` since the epoch."""
_CONTROL = {i: f"%{i:02X}" for i in (*range(32), 127, ord("%"))}


class Unreadable(ValueError):
    """The reply is not one of our programs'."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its host describes it.

    ``began`` and ``ended`` are seconds since the epoch, the start by our clock and the end by the host's (None where
    the duration says when it was);
    ``duration`` seconds by the host's boot clock, None where nobody knows. ``first`` says that nobody saw it ended
    before. ``cut`` names what stopped its output from being written: ``stdout.cap``, ``stderr.full`` and so on.
    ``group`` is the process id of the job's shell.
    """

    id: str
    state: JobState
    exit_code: int | None
    began: float
    ended: int | None
    duration: float | None
    root: bool
    stdout_bytes: int
    stderr_bytes: int
    first: bool
    cut: tuple[str, ...]
    group: int | None
    name: str
    command: str

    @property
    def signal(self) -> str | None:
        """The signal behind an exit status of 128+n, as ``"TERM"``."""
        return _signal(self.exit_code)


@dataclass(frozen=True, slots=True)
class Reply:
    """``words`` is the first line where it is not a job's; ``offsets`` where the bytes behind the lines begin in their
    files; ``data`` those bytes of stdout; ``damaged`` counts jobs whose files hold what none of our programs writes.
    """

    words: tuple[str, ...]
    jobs: tuple[Job, ...]
    offsets: tuple[int, int]
    data: bytes
    damaged: int = 0


def encoded(text: str) -> str:
    """``text`` as one line: control characters and ``%`` as ``%XX``."""
    return text.translate(_CONTROL)


def parse_reply(data: bytes) -> Reply:
    """Lines up to ``at``, then bytes. Raises Unreadable."""
    words: tuple[str, ...] = ()
    jobs: list[Job] = []
    damaged = 0
    while data:
        line, data = _line(data)
        if line.startswith("job "):
            name, data = _line(data)
            command, data = _line(data)
            try:
                jobs.append(_job(line.split(" "), unquote(name), unquote(command)))
            except Unreadable:
                damaged += 1
        elif line.startswith("at "):
            offsets = [_number(word) for word in line.split(" ")[1:]]
            if len(offsets) != 2:
                raise Unreadable(f"{len(offsets)} offsets")
            return Reply(words, tuple(jobs), (offsets[0], offsets[1]), data, damaged)
        else:
            words = (*words, *line.split(" "))
    return Reply(words, tuple(jobs), (0, 0), b"", damaged)


def _line(data: bytes) -> tuple[str, bytes]:
    line, end, rest = data.partition(b"\n")
    if not end:
        raise Unreadable("a line is cut off")
    return line.decode("utf-8", "replace"), rest


def _job(words: list[str], name: str, command: str) -> Job:
    if len(words) != _FIELDS:
        raise Unreadable(f"{len(words)} words for a job")
    _, id_, state, code, began, ended, up_from, up_to, up_now, root, out, err, shown, cut, group = words
    exit_code = None if code == "-" else _number(code)
    if state not in get_args(JobState):
        raise Unreadable(f"the state {state[:20]!r}")
    if state == "exited" and _signal(exit_code):
        state = "killed"
    return Job(
        id=id_,
        state=state,  # type: ignore[arg-type]
        exit_code=exit_code,
        began=_seconds(began),
        ended=None if ended == "-" else _number(ended),
        duration=_between(up_from, up_now if state == "running" else up_to),
        root=root == "root",
        stdout_bytes=_number(out),
        stderr_bytes=_number(err),
        first=shown == "first",
        cut=tuple(cut.lstrip(",").split(",")) if cut != "-" else (),
        group=None if group == "-" else _number(group),
        name=name,
        command=command,
    )


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= _DIGITS):
        raise Unreadable(f"{word[:20]!r} for a number")
    return int(word)


def _seconds(word: str) -> float:
    """Seconds with thousandths, or without."""
    whole, _, thousandths = word.partition(".")
    seconds = _number(whole) + _number(thousandths or "0") % 1000 / 1000
    if seconds > _LATEST:
        raise Unreadable("a time that no clock shows")
    return seconds


def _between(start: str, end: str) -> float | None:
    """Seconds between two clock readings of one kind: since the boot, or ``e`` and the epoch."""
    first, second = _CLOCK.fullmatch(start), _CLOCK.fullmatch(end)
    if first is None or second is None or first[1] != second[1]:
        return None
    return max(0.0, float(second[2]) - float(first[2]))


def _signal(code: int | None) -> str | None:
    try:
        return signal.Signals((code or 0) - 128).name[3:] if code is not None and 128 < code < 160 else None
    except ValueError:
        return None
