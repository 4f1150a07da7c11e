"""Pieces of a job's output: cut where nothing is lost, guarded in the light of what is around them."""

from __future__ import annotations

from dataclasses import dataclass

from ssh_mcp.guard.guard import without_surrogates
from ssh_mcp.guard.sanitise import split_pending, strip_controls
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.between import redact_between
from ssh_mcp.redaction.engine import rules_from

MARGIN = 16_384
"""Bytes before and behind a piece that its secrets are looked for in too: more than any private key has."""
_LONGEST_WORD = 4_096
"""Bytes of an unfinished word that are waited for."""


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes of a stream from ``offset`` on. ``total``: bytes that the stream has; ``growing``: its job runs."""

    data: bytes
    offset: int
    total: int
    growing: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Piece:
    """Guarded text, and the byte from which it is and up to which it goes. ``held``: the rest waits to be finished."""

    text: str
    start: int
    end: int
    held: bool = False


def piece(window: Window, start: int, limit: int, policy: RedactionPolicy) -> Piece:
    """At most ``limit`` bytes of the window from ``start`` on, up to the last line end, else the last character.

    While the job runs, an unfinished word at the end waits for its rest: the first half of a token is not known for
    one. ``start`` inside of a character means the next one.
    """
    data, at = window.data, min(max(start - window.offset, 0), len(window.data))
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    stop = _stop(window, at, min(at + limit, len(data)))
    before, shown, behind = (_text(part) for part in (data[:at], data[at:stop], data[stop : stop + MARGIN]))
    done, pending = split_pending(shown)
    if pending and done and (behind or window.growing):
        stop -= len(pending.encode("utf-8", "surrogateescape"))
        shown, behind = done, pending + behind
    parts = [without_surrogates(strip_controls(part)) for part in (before, shown, behind)]
    text = parts[1]
    if policy.output:
        first = len(parts[0])
        cut = window.growing or window.end < window.total or len(data) - stop > MARGIN
        text = redact_between("".join(parts), first, first + len(text), rules_from(policy), cut=cut)
    held = window.growing and stop < min(at + limit, len(data)) and window.end >= window.total
    return Piece(text, window.offset + at, window.offset + stop, held and b"\n" not in data[stop:])


def _stop(window: Window, at: int, stop: int) -> int:
    data = window.data
    if window.offset + stop < window.total:
        line = max(data.rfind(b"\n", at, stop), data.rfind(b"\r", at, stop)) + 1
        return line if line > at else _between_characters(data, at, stop)
    if not window.growing or data[at:stop].endswith((b"\n", b"\r")):
        return stop
    word = max(data.rfind(sign, at, stop) for sign in (b"\n", b"\r", b" ", b"\t")) + 1
    return max(word, at) if stop - word <= _LONGEST_WORD else _between_characters(data, at, stop)


def _between_characters(data: bytes, at: int, stop: int) -> int:
    """``stop``, or the beginning of the UTF-8 character that it would cut."""
    lead = stop - 1
    while lead > at and stop - lead < 4 and data[lead] & 0xC0 == 0x80:
        lead -= 1
    byte = data[lead] if lead >= at else 0
    size = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
    return lead if at < lead < stop < lead + size else stop


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
