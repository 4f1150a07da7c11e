"""What reading a long audit costs the operator."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ssh_mcp.audit.chain import GENESIS, seal
from ssh_mcp.audit.record import AuditRecord
from tests.bench.lab import BenchLab
from tests.bench.measure import Figure, Row, sample
from tests.bench.rows import quiet


def reading(lab: BenchLab, lines: int) -> Iterator[Row | Figure]:
    """A file of ``lines`` calls, two a second: its last hour as a table, and all of it as a page."""
    file = lab.files / "audit.jsonl"
    write(file, lines)
    ssh_mcp = [sys.executable, "-m", "ssh_mcp", "audit"]
    show = [*ssh_mcp, "show", "--since", "1h", "--file", str(file)]
    yield Row(f"audit show --since 1h of {lines:,} lines", sample(lambda: quiet(show), rounds=5), note="wanted: 2 s")
    began = time.perf_counter()
    quiet([*ssh_mcp, "report", str(lab.files / "report.html"), "--file", str(file)])
    yield Figure(f"audit report of {lines:,} lines", time.perf_counter() - began, "s", 20)


def write(file: Path, lines: int) -> None:
    """Calls of five hosts, the last one now."""
    prev, start = GENESIS, time.time() - lines / 2
    with file.open("wb") as stream:
        for number in range(1, lines + 1):
            ts = datetime.fromtimestamp(start + number / 2, UTC).isoformat(timespec="milliseconds")
            record = AuditRecord(ts.replace("+00:00", "Z"), f"{number:016x}", "ssh_exec_run", "dangerous")
            record.host, record.alias, record.duration_ms = f"web{number % 5}.example", f"web{number % 5}", number % 700
            record.command_hash, record.exit_code = "sha256:0123456789abcdef", int(number % 50 == 0)
            sealed = seal(record.to_json(), number, prev, file_start=number == 1)
            prev = sealed.hash
            stream.write(sealed.line)
