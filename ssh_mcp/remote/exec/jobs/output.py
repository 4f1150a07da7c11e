"""Reading a job's output: by cursor, its last lines, or the lines that match a pattern. The host is asked by blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.facts.jobs import Job
from ssh_mcp.guard.aside import aside
from ssh_mcp.remote.exec.jobs.asking import BLOCK, Asking
from ssh_mcp.remote.exec.jobs.text import MARGIN, Piece, Window, piece
from ssh_mcp.results.jobs import JobOutput

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.remote.patterns import LinePattern

DEFAULT_BYTES: Final = 24 << 10
"""Bytes of one piece: what a result may carry beside its other fields."""
MAX_BYTES: Final = 1 << 20
_SCANNED: Final = 16 << 20
"""Bytes that one call looks through for a pattern; the cursor says where the next goes on."""
_AT_ONCE: Final = 2 << 20
"""Bytes that are asked for at once for a pattern."""
_STEP: Final = 64 << 10
"""Bytes that are guarded and matched at once."""
_LINES_MAX: Final = 100_000
_OTHER_FIELDS: Final = 4_096
"""Bytes that the other fields of a result may take."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of which stream. ``cursor`` None: from the beginning, or the end where ``last_lines`` is given."""

    stream: Literal["stdout", "stderr"] = "stdout"
    cursor: int | None = None
    last_lines: int | None = None
    grep: str | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.cursor is not None and self.last_lines is not None:
            raise InvalidArgument("cursor and last_lines exclude each other.", "Give one of them.")
        for name, value, low, high in (
            ("cursor", self.cursor, 0, 1 << 50),
            ("last_lines", self.last_lines, 1, _LINES_MAX),
            ("max_bytes", self.max_bytes, 1, MAX_BYTES),
        ):
            if value is not None and not low <= value <= high:
                raise InvalidArgument(f"{name} is {value}.", f"It is {low} to {high}.")


async def read_output(host: RemoteHost, asking: Asking, job_id: str, selection: Selection) -> JobOutput:
    """What ``selection`` asks for. Raises JobNotFound, InvalidArgument for what is not RE2's syntax."""
    usual = min(DEFAULT_BYTES, host.settings.ssh_result_max_bytes * 3 // 4)
    reader = _Reader(host, asking, job_id, selection, selection.max_bytes or usual)
    shown = await _read(reader, selection)
    # The text ends at the cursor: it is not to be cut once more.
    size = len(shown.text.encode("utf-8", "replace"))
    host.call.result_bytes = max(host.settings.ssh_result_max_bytes, size + _OTHER_FIELDS)
    return shown


async def _read(reader: _Reader, selection: Selection) -> JobOutput:
    if selection.grep is not None:
        from ssh_mcp.remote.patterns import LinePattern  # late: its library is large

        return await reader.matching(LinePattern(selection.grep))
    if selection.last_lines is not None:
        return await reader.last(selection.last_lines)
    return await reader.forward()


@dataclass(slots=True)
class _Reader:
    host: RemoteHost
    asking: Asking
    job_id: str
    selection: Selection
    limit: int

    async def window(self, first_block: int, size: int) -> tuple[Job, Window]:
        """About ``size`` bytes from a block on (counted from the end where negative), and what they belong to."""
        blocks = size // BLOCK + 2
        reply, _ = await self.asking.run(
            "output", self.job_id, self.selection.stream, first_block, blocks, cap=(blocks + 16) * BLOCK
        )
        job = self.asking.job(reply, self.job_id)
        known = job.stderr_bytes if self.selection.stream == "stderr" else job.stdout_bytes
        total = max(known, reply.offsets[0] + len(reply.data))
        return job, Window(reply.data, reply.offsets[0], total, job.state == "running")

    async def around(self, start: int, size: int) -> tuple[Job, Window]:
        """``size`` bytes from ``start`` on, with the margin before and behind."""
        return await self.window(max(start - MARGIN, 0) // BLOCK, size + 2 * MARGIN)

    async def cut(self, window: Window, start: int, limit: int) -> Piece:
        return await aside(len(window.data), piece, window, start, limit, self.host.policy.redaction)

    async def forward(self) -> JobOutput:
        start = self.selection.cursor or 0
        job, window = await self.around(start, self.limit)
        if start > window.total:
            raise InvalidArgument(
                f"cursor is {start}, and {self.selection.stream} has {window.total} bytes.", "Use a returned cursor."
            )
        return _result(job, window, await self.cut(window, start, self.limit))

    async def last(self, lines: int) -> JobOutput:
        size = self.limit
        job, window = await self.window(-((size + MARGIN) // BLOCK + 1), size + MARGIN + BLOCK)
        start = _line_start(window, lines, size)
        return _result(job, window, await self.cut(window, start, window.end - start))

    async def matching(self, pattern: LinePattern) -> JobOutput:
        """Lines are matched as they are shown: a pattern must not be a way to guess what is masked."""
        at = first = self.selection.cursor or 0
        found: list[str] = []
        size = 0
        while True:
            job, window = await self.around(at, _AT_ONCE)
            end = min(at + _AT_ONCE, window.end)
            while at < end:
                part = await self.cut(window, at, min(_STEP, end - at))
                if part.end == at:
                    break  # an unfinished word, which waits for its rest
                hits = await aside(len(part.text), _hits, pattern, part.text)
                found += hits
                size += sum(len(hit.encode("utf-8", "replace")) + 1 for hit in hits)
                at = part.end
                if size >= self.limit:
                    break
            stuck = at < end and size < self.limit
            if stuck or at >= window.total or size >= self.limit or at - first >= _SCANNED:
                text = "".join(f"{line}\n" for line in found)
                shown = JobOutput(
                    text=text, cursor=at, bytes_total=window.total, lines_matched=len(found), state=job.state
                )
                return shown.model_copy(update={"more": not stuck and at < window.total})


def _hits(pattern: LinePattern, text: str) -> list[str]:
    return [line for line in text.splitlines() if pattern.matches(line.encode("utf-8", "replace"))]


def _line_start(window: Window, lines: int, size: int) -> int:
    """Where the last ``lines`` lines begin, or the first whole one of the last ``size`` bytes."""
    data = window.data
    lowest = max(len(data) - size, 0)
    at = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        at = data.rfind(b"\n", lowest, at)
        if at < 0:
            first = data.find(b"\n", max(lowest - 1, 0)) + 1 if lowest or window.offset else 0
            return window.offset + (first if lowest or window.offset else 0)
    return window.offset + at + 1


def _result(job: Job, window: Window, shown: Piece) -> JobOutput:
    return JobOutput(
        text=shown.text,
        cursor=shown.end,
        bytes_total=window.total,
        more=shown.end < window.total and not shown.held,
        state=job.state,
    )
