"""Result of reading what an earlier result left out."""

from __future__ import annotations

from ssh_mcp.results.base import Ours, Raw, Warned


class OutputText(Warned):
    """A part of kept output. The text is guarded already. Counts are of the whole stream; ``expires`` is UTC.

    ``next_offset``: where to go on while there is ``more``.
    """

    text: Raw
    bytes_total: int
    lines_total: int
    lines_matched: int = 0
    more: bool = False
    next_offset: int | None = None
    expires: Ours
