"""Whether a sed script starts programs or writes files: sed(1p), GNU sed manual "Commands Specific to GNU sed".

The reader walks the script command by command. What it does not know, it refuses; so do the places where GNU,
BusyBox and BSD sed find the end of a text or a pattern differently.
"""

from __future__ import annotations

import re

from ssh_mcp.shell.options import Denied

_ADDRESS_NUMBER = re.compile(r"\d+|\$")
_PLAIN_COMMANDS = frozenset("=dDgGhHnNpPxzF")
_LABEL = re.compile(r"[ \t]*([A-Za-z0-9_.-]*)[ \t]*(?=[;}\n]|\Z)")
_STREAMS = frozenset({"/dev/stdout", "/dev/stderr"})


def check(script: str) -> None:
    """Raises Denied for ``e``, ``w``, ``W``, ``s///e``, ``s///w`` and for anything not understood."""
    _Reader(script).run()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0

    def deny(self, what: str) -> Denied:
        return Denied(what, self.text[self.pos : self.pos + 40])

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def skip(self, characters: str) -> None:
        while self.peek() and self.peek() in characters:
            self.pos += 1

    def run(self) -> None:
        while True:
            self.skip(" \t\n;")
            if not self.peek():
                return
            self._addresses()
            self._command()

    def _addresses(self) -> None:
        if self._address():
            self.skip(" \t")
            if self.peek() in (",", "~"):
                self.pos += 1
                self.skip(" \t")
                if self.peek() in ("+", "~"):
                    self.pos += 1
                if not self._address():
                    raise self.deny("the sed script was not understood")
        self.skip(" \t!")

    def _address(self) -> bool:
        number = _ADDRESS_NUMBER.match(self.text, self.pos)
        if number:
            self.pos = number.end()
            return True
        if self.peek() == "/" or self.peek() == "\\":
            if self.peek() == "\\":
                self.pos += 1
            self._delimited(self._delimiter(), pattern=True)
            while self.peek() and self.peek() in "IM":
                self.pos += 1
            return True
        return False

    def _delimiter(self) -> str:
        c = self.peek()
        if not c or not c.isascii() or c.isalnum() or c in "\n\\ \t;{}[]":
            raise self.deny("the delimiter in the sed script was not understood")
        self.pos += 1
        return c

    def _delimited(self, delimiter: str, *, pattern: bool) -> None:
        """Up to the next unescaped delimiter. One inside of brackets ends the pattern in GNU sed only: refused."""
        start = self.pos
        while True:
            c = self.peek()
            if c in ("", "\n"):
                raise self.deny("the sed script was not understood")
            if c == "\\":
                self.pos += 2
                continue
            self.pos += 1
            if c == delimiter:
                break
        if pattern and open_bracket(self.text[start : self.pos - 1]):
            self.pos = start
            raise self.deny("different seds find different ends of this pattern")

    def _command(self) -> None:
        c = self.peek()
        self.pos += 1
        if c in ("", "\n"):
            return
        if c in "{}":
            return
        if c == "#":
            self._rest_of_line()
        elif c in _PLAIN_COMMANDS:
            self._end()
        elif c in "lLqQ":
            self.skip(" \t0123456789")
            self._end()
        elif c in "btT:":
            self._label()
        elif c in "aic":
            self._text()
        elif c in "rR":
            self._rest_of_line()
        elif c == "s":
            self._substitute()
        elif c == "y":
            delimiter = self._delimiter()
            self._delimited(delimiter, pattern=False)
            self._delimited(delimiter, pattern=False)
            self._end()
        else:
            self.pos -= 1
            raise self.deny("this command of the sed script starts a program, writes a file or was not understood")

    def _end(self) -> None:
        self.skip(" \t")
        if self.peek() not in ("", ";", "\n", "}", "#"):
            raise self.deny("the sed script was not understood")

    def _label(self) -> None:
        found = _LABEL.match(self.text, self.pos)
        if not found:
            raise self.deny("the sed script was not understood")
        self.pos = found.end()

    def _rest_of_line(self) -> None:
        end = self.text.find("\n", self.pos)
        self.pos = len(self.text) if end < 0 else end

    def _text(self) -> None:
        """Text of ``a``, ``i``, ``c``: to the end of the line, and of each line after a backslash."""
        while True:
            start = self.pos
            self._rest_of_line()
            line = self.text[start : self.pos]
            if not self.peek():
                return
            self.pos += 1
            if not (len(line) - len(line.rstrip("\\"))) % 2:
                return

    def _substitute(self) -> None:
        delimiter = self._delimiter()
        self._delimited(delimiter, pattern=True)
        self._delimited(delimiter, pattern=False)
        while self.peek() and self.peek() in "gpiIMm0123456789":
            self.pos += 1
        if self.peek() in ("w", "e"):
            start = self.pos + 1
            self._rest_of_line()
            if self.text[start - 1] == "e" or self.text[start : self.pos].strip(" \t") not in _STREAMS:
                self.pos = start - 1
                raise self.deny("this flag of `s` makes sed start a program or write a file")
        self._end()


def open_bracket(pattern: str) -> bool:
    """Whether a bracket expression may still be open at the end of ``pattern`` (in one reading or another)."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
        elif pattern[at] == "[":
            close = pattern.find("]", at + (3 if pattern[at + 1 : at + 2] == "^" else 2))
            while close >= 0 and any(
                pattern.count(f"[{k}", at, close) > pattern.count(f"{k}]", at, close + 1) for k in ":.="
            ):
                close = pattern.find("]", close + 1)
            if close < 0 or pattern[close - 1] == "\\":
                return True
            at = close + 1
        else:
            at += 1
    return False
