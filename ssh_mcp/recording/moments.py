"""What of a guarded result goes into a recording, and into which one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from ssh_mcp.errors import CutShort
from ssh_mcp.results.base import Result
from ssh_mcp.results.exec import BroadcastResult, ExecResult, ShellExecResult
from ssh_mcp.results.jobs import JobOutput, JobResult

from .asciicast import SIZE

Kind = Literal["command", "shell", "job", "terminal"]
LASTING: Final[frozenset[Kind]] = frozenset({"shell", "job", "terminal"})
"""Kinds whose recording goes on with later calls."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One call's part of a recording. ``id`` is the session's, job's or terminal's; of a command, its call's.

    ``command`` is masked text to show behind a prompt; ``screen``: ``output`` is the whole of a terminal.
    """

    kind: Kind
    id: str
    host: str
    output: str
    command: str | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    screen: bool = False
    size: tuple[int, int] = SIZE
    """Columns and rows."""


@runtime_checkable
class Screen(Protocol):
    """What a terminal shows."""

    terminal_id: str
    host: str
    screen: str
    columns: int
    rows: int


def moments(result: Result, correlation_id: str, command: str | None, job_id: str | None) -> Iterator[Moment]:
    """The parts, in order; none for a result that is about no command. ``job_id``: the one that the call named."""
    match result:
        case ShellExecResult():
            yield _of(result, "shell", result.session_id, command)
        case ExecResult():
            yield _of(result, "command", correlation_id, command)
        case BroadcastResult():
            for each in result.results.values():
                yield _of(each, "command", correlation_id, command)
        case JobResult():
            yield Moment(
                "job",
                result.job_id,
                result.host,
                _joined(result.stdout, result.stderr),
                command,
                exit_code=result.exit_code,
            )
        case JobOutput() if job_id is not None:
            yield Moment("job", job_id, "", result.text)
        case Screen():
            size = (result.columns, result.rows)
            yield Moment("terminal", result.terminal_id, result.host, result.screen, screen=True, size=size)


def cut_short(error: CutShort, host: str, correlation_id: str, command: str | None, session_id: str | None) -> Moment:
    """The part of a call whose connection was lost: what had arrived, and that it is not all."""
    output = f"{error.output}\n[The recording of this command ends here. {error.what}]\n"
    return Moment("shell" if session_id else "command", session_id or correlation_id, host, output, command)


def _of(result: ExecResult, kind: Kind, own_id: str, command: str | None) -> Moment:
    return Moment(
        kind,
        own_id,
        result.host,
        _joined(result.stdout, result.stderr),
        command,
        result.duration_ms / 1000,
        result.exit_code,
    )


def _joined(stdout: str, stderr: str) -> str:
    """Both streams, each from the beginning of a line."""
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in (stdout, stderr) if text)
