"""``ssh-mcp audit verify``."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ssh_mcp.audit.chain import verify_all


def verify(files: list[Path], expect_last: str | None) -> int:
    """Print the verdicts; exit status 0 for a whole chain, 1 for a broken one, 2 where a file is missing."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    missing = [file for file in files if not file.is_file()]
    if missing:
        console.print(f"{missing[0]}: {'is no regular file' if missing[0].exists() else 'no such file'}")
        return 2
    verdicts = verify_all(files, expect_last=expect_last)
    for file, verdict in verdicts:
        if verdict.ok:
            console.print(f"{file}: {verdict.lines} lines, the chain is whole")
        else:
            where = f"line {verdict.first_bad_line}" if verdict.first_bad_line else "the file"
            console.print(f"{file}: {where}: {verdict.reason}")
        for note in verdict.notes:
            console.print(f"  note: {note}")
    return 0 if all(verdict.ok for _, verdict in verdicts) else 1
