"""Tokens, simple commands, redirections and here-documents: the lower half of the grammar (``parse.py`` is the upper).

POSIX.1-2017 XCU 2.3, 2.7, 2.9.1, 2.10.2 rule 7.
"""

from __future__ import annotations

import re

from ssh_mcp.shell.tree import Assignment, Heredoc, Marks, Part, Redirect, Simple, Text, Word
from ssh_mcp.shell.words import META, WordReader

_OPERATORS = (
    "&>>", "<<-", "<<<", ";;&",
    "&&", "||", ";;", ";&", "&>", "|&", "<<", "<&", "<>", ">>", ">&", ">|",
    "<", ">", ";", "&", "|", "(", ")", "\n",
)  # fmt: skip
_REDIRECTS = frozenset({"<", ">", ">>", ">|", "<>", "<&", ">&", "<<", "<<-", "<<<", "&>", "&>>"})
_FD = re.compile(r"(\d+)[<>]")
_BRACED_FD = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}[<>]")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_DELIMITER = re.compile(r"[A-Za-z0-9_.-]+\Z")
_RESERVED_LIKE = re.compile(r"[a-z!{}\[\]]+")


class SimpleReader(WordReader):
    """Reads one simple command at a time."""

    def __init__(self, text: str, pos: int, stop: int, *, depth: int, nested: bool, marks: Marks) -> None:
        super().__init__(text, pos, stop, depth=depth, nested=nested, marks=marks)
        self.pending: list[tuple[Redirect, str, bool]] = []

    # --- tokens -----------------------------------------------------------------------------------------------------

    def skip_blanks(self) -> None:
        """Blanks, line continuations between words, and comments (never the newline behind one)."""
        while self.pos < self.stop:
            c = self.text[self.pos]
            if c in " \t":
                self.pos += 1
            elif c == "\\" and self.peek(1) == "\n" and self._at_blank():
                self.pos += 2
                if self.peek() == "#" or self.pending:
                    self.fail("this line continuation is read differently by different shells")
            elif c == "#":
                if self.nested:  # bash 3 and 4 look for the closing bracket inside of comments too
                    self.fail("there is a comment inside a substitution")
                end = self.text.find("\n", self.pos, self.stop)
                self.pos = self.stop if end < 0 else end
            else:
                return

    def _at_blank(self) -> bool:
        return self.pos == 0 or self.text[self.pos - 1] in " \t\n"

    def read_word(self) -> Word:
        word = super().read_word()
        if self.pending and "\n" in self.text[word.start : word.end]:
            self.fail("there is a line break between a here-document and its body", word.start)
        return word

    def operator(self) -> str:
        """The operator that begins here, or an empty string. ``<(`` and ``>(`` begin words."""
        self.skip_blanks()
        c = self.peek()
        if c == "" or c not in META or (c in "<>" and self.peek(1) == "("):
            return ""
        return next((o for o in _OPERATORS if self.starts(o)), "")

    def take(self, op: str) -> None:
        if op == "\n":
            self._newline()
        else:
            self.pos += len(op)

    def _newline(self) -> None:
        self.pos += 1
        pending, self.pending = self.pending, []
        for redirect, delimiter, literal in pending:
            redirect.heredoc = self._heredoc_body(delimiter, literal=literal, strip=redirect.op == "<<-")

    def skip_newlines(self) -> None:
        while self.operator() == "\n":
            self._newline()

    def bare_word(self) -> str | None:
        """The unquoted word that begins here if it could be a reserved word; nothing is consumed."""
        if self.operator() or self.pos >= self.stop:
            return None
        found = _RESERVED_LIKE.match(self.text, self.pos, self.stop)
        if not found:
            return None
        end = found.end()
        return found.group() if end == self.stop or self.text[end] in META else None

    def expect(self, reserved: str) -> None:
        if self.bare_word() != reserved:
            self.fail(f"`{reserved}` was expected")
        self.pos += len(reserved)

    # --- simple commands --------------------------------------------------------------------------------------------

    def read_simple(self, start: int) -> Simple:
        """The simple command at ``start``; a ``(`` behind it makes it the head of a function definition."""
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            redirect = self._redirect()
            if redirect:
                redirects.append(redirect)
                continue
            if self.operator() or self.pos >= self.stop:
                break
            if redirects and redirects[-1].op in ("&>", "&>>"):  # dash: background, and a new command begins here
                self.fail("a word after &> is read differently by different shells", redirects[-1].start)
            if not words and self._assignment(assignments):
                continue
            if not words:
                self.marks.programs.add(self.pos)
            words.append(self.read_word())
        if not (assignments or words or redirects):
            self.fail("a command was expected")
        if any(r.op in ("&>", "&>>") for r in redirects) and (len(redirects) > 1 or not words):
            self.fail("&> is read differently by different shells", start)
        return Simple(tuple(assignments), tuple(words), tuple(redirects), start)

    def _assignment(self, into: list[Assignment]) -> bool:
        found = _ASSIGNMENT.match(self.text, self.pos, self.stop)
        if not found:
            return False
        start = self.pos
        self.pos = found.end()
        self.marks.assignments.add(start)
        value = self.read_word() if self.pos < self.stop and self.peek() not in META else Word((), self.pos, self.pos)
        into.append(Assignment(found.group(1), value, start))
        return True

    # --- redirections -----------------------------------------------------------------------------------------------

    def redirect_list(self) -> tuple[Redirect, ...]:
        found = []
        while redirect := self._redirect():
            if redirect.op in ("&>", "&>>"):
                self.fail("&> is read differently by different shells", redirect.start)
            found.append(redirect)
        return tuple(found)

    def _redirect(self) -> Redirect | None:
        self.skip_blanks()
        start = self.pos
        if _BRACED_FD.match(self.text, self.pos, self.stop):
            self.fail("{name}> is read differently by different shells")
        fd = _FD.match(self.text, self.pos, self.stop)
        if fd:
            if len(fd.group(1)) > 1 or self.text.startswith("(", fd.end(), self.stop):
                self.fail("this file descriptor is read differently by different shells")
            self.pos += 1
        op = self.operator() if not fd else next((o for o in _OPERATORS if self.starts(o)), "")
        if op not in _REDIRECTS:
            self.pos = start
            return None
        self.pos += len(op)
        self.marks.redirects.add(start)
        if self.operator() or self.pos >= self.stop:
            self.fail("a redirection has no target", start)
        redirect = Redirect(op, fd.group(1) if fd else "", self.read_word(), start)
        if op in ("<<", "<<-"):
            self._heredoc_start(redirect)
        return redirect

    def _heredoc_start(self, redirect: Redirect) -> None:
        if self.nested:
            self.fail("there is a here-document inside a substitution", redirect.start)
        parts = redirect.target.parts
        if len(parts) != 1 or not isinstance(parts[0], Text) or not _DELIMITER.match(parts[0].text):
            self.fail("the delimiter of a here-document must be one plain word", redirect.start)
        self.pending.append((redirect, parts[0].text, parts[0].quoted))

    def _heredoc_body(self, delimiter: str, *, literal: bool, strip: bool) -> Heredoc:
        begin = self.pos
        lines: list[Part] = []
        while True:
            if self.pos >= self.stop:
                self.fail(f"the here-document is not closed by {delimiter}", begin)
            end = self.text.find("\n", self.pos, self.stop)
            end = self.stop if end < 0 else end
            line = self.text[self.pos : end]
            if (line.lstrip("\t") if strip else line) == delimiter:
                self.pos = min(end + 1, self.stop)
                return Heredoc(tuple(lines), delimiter)
            lines.extend([Text(line, quoted=True)] if literal else self._heredoc_line(end))
            lines.append(Text("\n", quoted=True))
            self.pos = min(end + 1, self.stop)

    def _heredoc_line(self, end: int) -> list[Part]:
        """Dash reads on over the delimiter inside of an expansion, bash does not: each must end on its line."""
        line = self.text[self.pos : end]
        if (len(line) - len(line.rstrip("\\"))) % 2:
            self.fail("a line of a here-document ends in a backslash")
        outer, self.stop, nested, self.nested = self.stop, end, self.nested, True
        parts = []
        while self.pos < self.stop:
            parts.append(self.quoted_piece("$`\\"))
        self.stop, self.nested = outer, nested
        return parts
