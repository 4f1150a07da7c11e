"""What a device printed after one line was sent to it, read bit by bit: is it over, and what is its text? No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ssh_mcp.remote.devices.definitions import Definition
from ssh_mcp.remote.devices.printed import plain_text, printed_text

MAX_OUTPUT: Final = 8 << 20
"""Bytes of one command's output."""
_TAIL: Final = 4096
"""Bytes at the end in which a prompt, a pager or a question is looked for."""
_ECHO: Final = 8192
"""Bytes at the begin in which the echo of what was sent is looked for."""
_PAGER: Final = re.compile(
    r"(?:--+ ?\(?more\b.*-*|<--- more --->|press any key to continue.*|\(q\).*quit.*)\s*\Z", re.IGNORECASE
)
"""A pager's last line, such as ``--More--``, ``---- More ----``, ``<--- More --->``, ``-- More --, next: Space``."""
_NAME: Final = re.compile(r"[\w.@/-]+")
_BLANKS: Final = re.compile(r"\s+")


class State(Enum):
    """Where a reply is."""

    OVER = auto()
    """The prompt of a device that is known by its name, after the echo."""
    PROMPTED = auto()
    """It ends like a prompt: over, unless more comes soon."""
    PAGED = auto()
    """A pager waits for a key."""
    ASKED = auto()
    """The question that was expected."""
    LOGGED = auto()
    """A prompt came, and lines of a log after it."""
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Known:
    """How the prompt looked last; its name, such as ``sw1`` of ``sw1(config-if)#``, stays when the mode changes."""

    prompt: str = ""

    @property
    def name(self) -> str:
        found = _NAME.search(self.prompt.split("\n")[-1])
        return found[0] if found else ""

    def again(self, prompt: str) -> bool:
        if prompt == self.prompt:
            return True
        name = _NAME.search(prompt.rsplit("\n", maxsplit=1)[-1])
        return bool(self.name) and name is not None and name[0].startswith(self.name)


class Reply:
    """The reply to ``sent`` (None: to nothing, as at the login)."""

    def __init__(
        self, definition: Definition, known: Known, sent: str | None, ask: re.Pattern[str] | None = None
    ) -> None:
        self._definition = definition
        self._known = known
        self._sent = "" if sent is None else _BLANKS.sub("", sent)
        self._ask = ask
        self._data = bytearray()
        self._echoed = not self._sent
        self.prompt = ""
        """The prompt that it ends with now."""

    def feed(self, data: bytes) -> State:
        self._data += data
        return self.state()

    @property
    def too_long(self) -> bool:
        return len(self._data) > MAX_OUTPUT

    def state(self) -> State:
        tail = printed_text(_text(bytes(self._data[-_TAIL:])))
        if not self._echoed:
            begin = plain_text(_text(bytes(self._data[:_ECHO])))
            self._echoed = self._sent in _BLANKS.sub("", begin)
        last = tail[tail.rfind("\n") + 1 :]
        if self._ask is not None and self._ask.search(last):
            return State.ASKED
        self.prompt = self._prompt_at_end(tail)
        if self.prompt:
            return State.OVER if self._echoed and self._known.again(self.prompt) else State.PROMPTED
        if _PAGER.search(last):
            return State.PAGED
        return State.LOGGED if self._echoed and not last and self._logged(tail) else State.OPEN

    def _prompt_at_end(self, tail: str) -> str:
        """The longest prompt of any mode that the text ends with: some have two rows."""
        end = tail.rstrip(" \t")
        found = [
            match[0].strip()
            for mode in self._definition.modes
            for match in mode.prompt.finditer(end)
            if match.end() == len(end) and not match[0].endswith("\n") and mode.shows(match[0])
        ]
        return max(found, key=len, default="")

    def _logged(self, tail: str) -> bool:
        """Whether a row is the prompt that is known, and whole rows came after it."""
        return bool(self._known.prompt) and self._known.prompt in [row.strip() for row in tail.split("\n")[1:-1]]

    def text(self) -> tuple[str, bool]:
        """What was printed between the echo and the prompt, and whether bytes that are no UTF-8 were replaced."""
        raw = bytes(self._data)
        decoded = _text(raw)
        rows = printed_text(decoded).rstrip().split("\n")
        rows = rows[self._echo_rows(rows) :]
        body = "\n".join(rows)
        if self.prompt and body.endswith(self.prompt):
            body = body[: -len(self.prompt)]
        return body.strip("\n").rstrip(), "\ufffd" in decoded and b"\xef\xbf\xbd" not in raw

    def _echo_rows(self, rows: list[str]) -> int:
        """How many rows at the begin are the echo: a device may wrap it."""
        if not self._sent:
            return 0
        seen = ""
        for number, row in enumerate(rows[: 3 + len(self._sent) // 20], 1):
            seen += _BLANKS.sub("", row)
            if self._sent in seen:
                return number
        return 0


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
