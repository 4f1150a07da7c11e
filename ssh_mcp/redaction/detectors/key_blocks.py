"""Private key blocks: PEM, OpenSSH, PGP, OpenVPN, PuTTY; whole, cut off, on one line, or with a log's prefix a line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors.base import HEAD, Reach, TextDetector, Wide
from ssh_mcp.redaction.detectors.vocabulary import insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.stretch import Stretch

_LABEL = r"(?:[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)"
_BEGIN = re.compile(r"-{4,5} ?BEGIN " + _LABEL + r" ?-{4,5}")
_END = re.compile(r"-{4,5} ?END " + _LABEL + r" ?-{4,5}")
_BREAK = re.compile(r"\r?\n|(?:\\{1,8}[rn])+")
_BODY = re.compile(r"[A-Za-z0-9+/]{16,}={0,3}|=[A-Za-z0-9+/]{4}")
_KEY_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\"
_KEY_WORD = re.compile(r"[A-Za-z0-9+/]{16}|[A-Za-z0-9+/]{4}=")
_FULL = re.compile(r"(?=[A-Za-z+/]*+[0-9])(?=[0-9]*+[A-Za-z+/])[A-Za-z0-9+/]{32,128}={0,3}")
_SHORT = re.compile(r"(?=[A-Za-z+/]*[0-9+/=])[A-Za-z0-9+/]{3,76}={0,3}")
_HEADER = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID|Subject|X-\w+):.*")
_DECORATION = re.compile(r"[\"'`,;+)\]}]{1,8}$")
_PUTTY = re.compile(r"^[ \t]*Private-Lines: (\d{1,4})[ \t]*\r?\n", re.MULTILINE)
_MAC = re.compile(r"^[ \t]*Private-MAC: ([0-9a-f]{32,64})", re.MULTILINE)
_LOOK = 512
"""Characters at a line's end by which it is classified."""
HEADLESS = 16_384
"""Characters above an END line in which the lines of a block are looked for whose BEGIN was cut away."""
_SHORT_LINES = 2
"""The last line of a block is short, and a PGP checksum follows it."""
_ODD_LINES = 8
"""Lines that are no key material and may still be inside a block (log lines between, continuation)."""


class KeyBlocks:
    """Finds the blocks of one text. Every END line is searched for once, however many BEGIN lines there are."""

    __slots__ = ("_break", "_ends_from", "_lines", "_next_end", "_text", "covered", "opened", "reaches")

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = Lines(text)
        self._ends_from = -1
        self._break = (-1, -1)
        self._next_end: re.Match[str] | None = None
        self.covered = 0
        """End of the last block found."""
        self.opened: int | None = None
        """Start of a block that the text's end cuts off."""
        self.reaches: list[tuple[int, int | None]] = []
        """From each BEGIN to where it was decided what belongs to it; None: the text's end came first."""

    def _end_after(self, at: int) -> re.Match[str] | None:
        known = self._next_end
        if self._ends_from < 0 or (known is not None and known.start() < at):
            self._next_end = _END.search(self._text, at)
            self._ends_from = at
        return self._next_end

    def _break_after(self, at: int) -> tuple[int, int]:
        """The next line end, real or escaped; the text's end where there is none. Positions come in ascending order."""
        if self._break[0] < at:
            mark = _BREAK.search(self._text, at)
            self._break = mark.span() if mark else (len(self._text), len(self._text))
        return self._break

    def find(self, start: int, end: int, out: list[Span]) -> None:
        """Report the blocks that begin in ``text[start:end]``; they may reach beyond ``end``. Call in text order."""
        at = max(start, self.covered)
        while at < end and (begin := _BEGIN.search(self._text, at, end)):
            stop, decided, whole = self._block_end(begin.end())
            self.reaches.append((begin.start(), decided))
            at = begin.end()
            if stop > at:
                out.append(Span(begin.start(), stop, "pem"))
                at = self.covered = stop
            if decided is None and whole and self.opened is None:
                self.opened = begin.start()
        self._headless(max(start, self.covered), end, out)
        self._putty(start, end, out)

    def _block_end(self, at: int) -> tuple[int, int | None, bool]:
        """Where the block ends whose BEGIN ends at ``at`` (or ``at``: nothing follows), where that was decided (None:
        by the text's end), and whether every line was key material.
        """
        text, size, keep = self._text, len(self._text), at
        whole = odd = 0
        finish = self._end_after(at)
        while at < size:
            stop, following = self._break_after(at)
            if finish is not None and finish.start() < stop:
                good = whole + (_line_kind(text[max(at, finish.start() - _LOOK) : finish.start()]) or 0) > odd
                return (finish.end() if good else keep), finish.end(), not odd
            kind = _line_kind(text[max(at, stop - _LOOK) : stop])
            if kind is None:
                odd += 1
                if odd > _ODD_LINES + whole:
                    return keep, following, False
            else:
                whole += kind
                keep = stop if kind and not odd else keep
            at = max(following, at + 1)
        return keep, None, not odd

    def _headless(self, start: int, end: int, out: list[Span]) -> None:
        """A block whose BEGIN was cut away: key lines directly above an END line, or before it on its own line."""
        text, floor = self._text, start
        for m in _END.finditer(text, start, end):
            own = self._lines.start(m.start())
            top = body_above(text, own, max(self.covered, m.start() - HEADLESS))
            if top == own:  # nothing above: on one line, or only talked about
                line = text[max(own, floor, m.start() - HEADLESS) : m.start()]
                word = line[len(line.rstrip(_KEY_CHARACTERS)) :]
                top = m.start() - len(word) if _KEY_WORD.search(word) else m.start()
            floor = m.end()
            if top < m.start():
                out.append(Span(top, m.end(), "pem"))
                self.covered = m.end()

    def _putty(self, start: int, end: int, out: list[Span]) -> None:
        text = self._text
        for m in _PUTTY.finditer(text, start, end):
            at = m.end()
            if at <= self.covered:
                continue
            for _ in range(int(m[1])):
                nl = text.find("\n", at)
                at = len(text) if nl < 0 else nl + 1
            self.reaches.append((m.start(), at if at < len(text) else None))
            body = text[m.end() : at].rstrip()
            out.append(Span(m.end(), m.end() + len(body), "pem"))
            self.covered = max(self.covered, m.end() + len(body))
        out += [Span(*m.span(1), "pem") for m in _MAC.finditer(text, start, end)]


def body_above(text: str, at: int, floor: int) -> int:
    """Where the lines of a key's body begin that end at ``at`` (a line's start), or ``at``; not before ``floor``."""
    top, short = at, 0
    while top > floor:
        above = text.rfind("\n", 0, top - 1) + 1
        line = text[max(above, top - 1 - _LOOK) : top - 1]
        if above < floor or not _line_kind(line):
            break
        if _FULL.search(_core(line).rsplit(None, 1)[-1]):
            short = -1
        elif short < 0 or short == _SHORT_LINES:
            break
        else:
            short += 1
        top = above
    return top if short < 0 else at


def _core(line: str) -> str:
    return _DECORATION.sub("", line.strip().strip("\"'`").strip())


def _line_kind(line: str) -> int | None:
    """1: a line of key material (perhaps behind a log's prefix); 0: may be inside a block; None: something else."""
    core = _core(line)
    if not core or _HEADER.fullmatch(core):
        return 0
    last = core.rsplit(None, 1)[-1].lstrip("\"'`>#")
    return 1 if _BODY.fullmatch(last) or _SHORT.fullmatch(core.lstrip("\"'`># ")) else None


def _blocks(text: str, lines: Sequence[Place]) -> tuple[KeyBlocks, list[Span]]:
    blocks, out = KeyBlocks(text), list[Span]()
    for start, end in lines:
        blocks.find(start, end, out)
    return blocks, out


def _find(page: Stretch, lines: Sequence[Place]) -> list[Span]:
    return _blocks(page.text, lines)[1]


def _reach(page: Stretch, lines: Sequence[Place]) -> list[Reach]:
    """From each BEGIN line to where it was decided what belongs to its block."""
    text, out = page.text, []
    for begin, until in _blocks(text, lines)[0].reaches:
        line = text.rfind("\n", 0, begin) + 1
        nl = text.find("\n", begin)
        out.append(Reach(line, until, text[begin : nl + 1] if 0 <= nl - begin < HEAD else ""))
    return out


def open_block(text: str) -> int | None:
    """Where a key block begins that the end of ``text`` cuts off."""
    if not any(mark in text for mark in _MARKS):
        return None
    lines, at = list[Place](), 0
    while m := _LINES.search(text, at):
        start = text.rfind("\n", at, m.start()) + 1 or at
        at = text.find("\n", m.end()) + 1 or len(text)
        lines.append((start, at))
    return _blocks(text, lines)[0].opened


_MARKS = ("PRIVATE KEY", "OpenVPN", "Private-Lines")
_LINES = re.compile("PRIVATE KEY|OpenVPN|Private-Lines")
_HEADS = r"(?:BEGIN|END) [A-Z0-9 ]*(?:PRIVATE KEY|OpenVPN)"
DETECTOR = TextDetector(
    name="private keys",
    find=_find,
    reach=_reach,
    first=True,
    wide=(Wide("plain keys", _HEADS, lower=False), Wide("values", r"private-(?:lines|mac):")),
    line=(rf"(?-u:-----? ?{_HEADS})", insensitive(r"private-(?:lines|mac):")),
    hit="«-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL\n"
    "-----END RSA PRIVATE KEY-----»",
    miss="-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA\n-----END CERTIFICATE-----",
)
