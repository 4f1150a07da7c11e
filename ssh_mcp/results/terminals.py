"""Results of the terminal tools."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.results.base import Ours, Provenance, Result, Warned


class TerminalCursor(Result):
    """Where the cursor is, from 0 at the top left."""

    row: int
    column: int


class TerminalScreenResult(Warned):
    """What a terminal shows. ``screen`` is masked already, and holds rows that the terminal wrapped as one line.

    ``changed``: it is not what the last result showed. ``matched``: wait_for came; null where none was given.
    """

    terminal_id: Ours
    host: Ours
    screen: Annotated[str, Provenance.GUARDED] = ""
    columns: int = 120
    rows: int = 40
    cursor: TerminalCursor
    changed: bool = True
    ended: bool = False
    exit_code: int | None = Field(default=None)
    matched: bool | None = None


class TerminalClosed(Result):
    """``closed`` False: there was no such terminal."""

    terminal_id: Ours
    closed: bool
