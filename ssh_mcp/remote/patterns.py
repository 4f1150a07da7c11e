"""Patterns that a caller gives, matched line by line in time linear in the text (RE2, https://github.com/google/re2).

Imported when the first pattern comes: the library takes 3 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import re2

from ssh_mcp.errors import InvalidArgument

MAX_PATTERN: Final = 1000
"""Characters of a pattern."""
_MEMORY: Final = 1 << 20
"""Bytes that a compiled pattern and its automaton may take; RE2 refuses one that needs more."""
_BEYOND_LINES: Final = re.compile(r"\\[AzQC]|\(\?[a-zA-Z]*-")
r"""What means something else in a text of many lines than in one: ``\A``, ``\z``, quoted text, flags taken back."""


class LinePattern:
    """One RE2 pattern. Raises InvalidArgument where it is none."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        if not pattern or len(pattern) > MAX_PATTERN:
            raise InvalidArgument(
                f"The pattern has {len(pattern)} characters.", f"It has 1 to {MAX_PATTERN}; shorten it."
            )
        try:
            pattern.encode()
        except UnicodeEncodeError:
            raise InvalidArgument(
                "The pattern contains a lone surrogate, which is not valid Unicode.", "Give it without."
            ) from None
        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        options.never_capture = True
        options.case_sensitive = not ignore_case
        try:
            self._one = re2.compile(pattern, options)
            self._many = None if _BEYOND_LINES.search(pattern) else re2.compile(f"(?m)(?:{pattern})", options)
        except re2.error as error:
            said = error.args[0] if error.args else ""
            reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            raise InvalidArgument(
                f"The pattern cannot be used: {reason[:200]}.",
                "It is RE2 syntax, without backreferences and lookaround.",
            ) from None
        finally:
            re2.purge()  # the library would keep the last 128 patterns

    def matches(self, line: bytes) -> bool:
        """Whether a line of UTF-8 text, given without its end, holds a match."""
        return self._one.search(line) is not None

    def spans(self, lines: bytes) -> Iterator[tuple[int, int]]:
        """Begin and end (behind the line end) of each matching line of a text that begins with a line's begin."""
        at = 0
        while at < len(lines):
            if self._many is not None:
                found = self._many.search(lines, at)
                if found is None:
                    return
                at = lines.rfind(b"\n", at, found.start()) + 1 or at
                if at == len(lines):  # an empty match behind the last line end
                    return
            end = lines.find(b"\n", at) + 1 or len(lines)
            if self.matches(lines[at:end].removesuffix(b"\n")):
                yield at, end
            at = end
