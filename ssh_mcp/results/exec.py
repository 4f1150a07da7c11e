"""Results of running commands."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PrivateAttr

from ssh_mcp.results.base import LongText, Ours, Provenance, Result, Spooled
from ssh_mcp.results.fleet import FleetGroup


class ExecResult(Spooled):
    """How a command ended. ``exit_code`` is -1 where the command was ended by us; counts are before any cut.

    ``*_truncated``: the text is not all there was.
    """

    host: Ours
    exit_code: int
    stdout: str = ""
    stderr: str = ""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    stdout_lines: int = 0
    stderr_lines: int = 0
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    duration_ms: int = 0
    timed_out: bool = False
    killed_by_signal: Ours | None = None
    hint: Ours | None = None
    _long_texts: dict[str, LongText] = PrivateAttr(default_factory=dict)

    @property
    def long_texts(self) -> dict[str, LongText]:
        """Streams beyond their cap, by field. A copy of the result shares them."""
        return self._long_texts

    def quiet_fields(self) -> frozenset[str]:
        """Counts say nothing where the text is whole."""
        return frozenset(
            f"{name}_{count}"
            for name in ("stdout", "stderr")
            if not getattr(self, f"{name}_truncated")
            for count in ("bytes", "lines")
        )


class BroadcastResult(Spooled):
    """One command on many hosts. Keys and names are as the caller wrote them; ``failed`` includes non-zero exits."""

    command: Ours
    results: Annotated[dict[str, ExecResult], Provenance.GUARDED] = Field(default_factory=dict)
    succeeded: list[Ours] = Field(default_factory=list)
    failed: list[Ours] = Field(default_factory=list)
    errors: Annotated[dict[str, str], Provenance.GUARDED] = Field(default_factory=dict)
    elapsed_ms: int = 0
    groups: list[FleetGroup] = Field(default_factory=list)
    not_attempted: list[Ours] = Field(default_factory=list)


class ShellOpened(Result):
    """A new shell session."""

    session_id: Ours
    host: Ours
    cwd: str


class ShellExecResult(ExecResult):
    """A command's end within a shell session, and the session's directory now."""

    session_id: Ours
    cwd: str


class ShellListEntry(Result):
    """One open session. Times are seconds."""

    id: Ours
    host: Ours
    cwd: str
    idle_seconds: float
    age_seconds: float


class ShellList(Spooled):
    """The open sessions of this server."""

    sessions: list[ShellListEntry] = Field(default_factory=list)
    count: int = 0


class ShellClosed(Result):
    """``closed`` is False where the session had ended by itself already."""

    session_id: Ours
    closed: bool
