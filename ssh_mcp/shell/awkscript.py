"""Whether an awk program starts programs or writes files: awk(1p), gawk manual "Redirecting Output", "I/O Functions".

A small tokeniser for strings, regular expressions and operators. Where awks differ over whether a slash divides or
begins a regular expression, the program is refused.
"""

from __future__ import annotations

import re

from ssh_mcp.shell.options import Denied
from ssh_mcp.shell.sedscript import open_bracket
from ssh_mcp.shell.tree import names

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\\\n)|(?P<comment>\#[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<number>\d+(?:\.\d*)?|\.\d+)
    |(?P<name>[A-Za-z_]\w*)|(?P<op>\|\||&&|>>|[<>=!]=|!~|\+\+|--|\*\*|[-+*%^]=|[-+*%^<>=!?:,;$(){}\[\]~|@&\n])|(?P<slash>/)""",
    re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\\n]|\\.)*/")
_BEFORE_REGEX = frozenset({"", "{", "}", ";", "\n", "(", ",", "!", "~", "!~", "&&", "||"})
_BEFORE_DIVISION = frozenset({")", "]", "number", "name"})
_KEYWORDS = names("print printf getline return in do else delete exit next case function func length")
_CONDITIONS = frozenset({"if", "while", "for", "switch"})
_CONTINUED = frozenset({",", "&&", "||", "?", ":", "{", "do", "else"})
_PAIRS = {"(": ")", "condition": ")", "[": "]", "{": "}"}
_ENDS = frozenset({";", "\n", "}"})
_STREAMS = frozenset({'"/dev/stdout"', '"/dev/stderr"'})
_FORBIDDEN = re.compile(r"(?<![A-Za-z_])system(?!\w)|\|&|/inet")


def check(program: str) -> list[str]:
    """The shell texts of ``print | "text"``, which the caller decides about.

    Raises Denied for ``system()``, other pipes, output into files, gawk's ``@`` forms and what is not understood.
    """
    found = _FORBIDDEN.search(program)
    if found:
        raise Denied("this makes awk start a program or open a connection", found.group())
    reader = _Reader(program)
    reader.run()
    return reader.commands


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.previous = ""
        self.brackets: list[str] = []
        self.printing: int | None = None
        self.target = 0  # 1: the next token is where print writes to, 2: it was, and nothing may be added to it
        self.piping = False  # that token is a command
        self.commands: list[str] = []

    def deny(self, what: str) -> Denied:
        return Denied(what, self.text[self.pos : self.pos + 40])

    def run(self) -> None:
        while self.pos < len(self.text):
            found = _TOKEN.match(self.text, self.pos)
            if not found:
                raise self.deny("the awk program was not understood")
            kind, text = found.lastgroup or "", found.group()
            if kind == "slash":
                self._slash()
                continue
            self.token(kind, text)
            self.pos = found.end()
        if self.target == 1 or self.brackets:
            raise self.deny("the awk program was not understood")

    def token(self, kind: str, text: str) -> None:
        if kind in ("blank", "comment"):
            return
        if self.target == 1 and self.piping:
            self._command(kind, text)
        elif (self.target == 1 and text not in _STREAMS) or (self.target == 2 and text not in _ENDS):
            raise self.deny("this makes awk write a file")
        self.target = 2 if self.target == 1 else 0
        if kind == "name":
            self._name(text)
        elif kind == "op":
            self._operator(text)
        else:
            self.previous = kind if kind == "number" else "string"

    def _command(self, kind: str, text: str) -> None:
        if kind != "string" or "\\" in text:
            raise self.deny("this makes awk start a program")
        self.commands.append(text[1:-1])
        self.piping = False

    def _name(self, text: str) -> None:
        if text in ("print", "printf"):
            self.printing = len(self.brackets)
        self.previous = text if text in _KEYWORDS | _CONDITIONS else "name"

    def _operator(self, text: str) -> None:
        printing = self.printing is not None and len(self.brackets) == self.printing
        if text == "@" or (text == "|" and not printing):
            raise self.deny("this makes awk start a program")
        if text == "\n" and self.previous in _CONTINUED:
            return
        if text in ("(", "[", "{"):
            self.brackets.append("condition" if text == "(" and self.previous in _CONDITIONS else text)
        elif text in (")", "]", "}"):
            opened = self.brackets.pop() if self.brackets else ""
            if _PAIRS.get(opened) != text:
                raise self.deny("the awk program was not understood")
            if opened == "condition":
                self.previous = "condition"
                return
        inner = self.printing is not None and len(self.brackets) <= self.printing
        if inner and text in (";", "}"):  # not a newline: BusyBox reads on over it behind most operators
            self.printing = None
        if inner and text in (">", ">>", "|"):
            self.target, self.piping = 1, text == "|"
        self.previous = text

    def _slash(self) -> None:
        if self.target:
            raise self.deny("this makes awk write a file")
        if self.previous in _BEFORE_DIVISION:
            self.previous = "/"
            self.pos += 1
            return
        found = _REGEX.match(self.text, self.pos)
        if self.previous not in _BEFORE_REGEX or not found:
            raise self.deny("this slash is read differently by different awks")
        if open_bracket(found.group()[1:-1]):
            raise self.deny("different awks find different ends of this pattern")
        self.previous = "string"
        self.pos = found.end()
