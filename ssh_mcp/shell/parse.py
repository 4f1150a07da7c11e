"""The strict shell grammar: text → ``tree.Script`` or ``ShellSyntaxError``.

It knows POSIX.1-2017 XCU 2.9 and 2.10 without the corners in which dash, BusyBox ash and bash part ways. Its second
reader is tree-sitter-bash (``grammar.py``); a text is only read where both see the same commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from ssh_mcp.shell import grammar
from ssh_mcp.shell.simple import SimpleReader
from ssh_mcp.shell.tree import (
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Item,
    Loop,
    Marks,
    Pipeline,
    Script,
    Sequence,
    Simple,
    Word,
    names,
)
from ssh_mcp.shell.words import MAX_DEPTH, ShellSyntaxError, WordReader

__all__ = ["MAX_BYTES", "RESERVED", "ShellSyntaxError", "parse"]

MAX_BYTES = 65536
"""UTF-8 bytes of a command that is read; Linux itself caps one argument at 128 KiB."""

RESERVED = names("! { } case do done elif else esac fi for if in then until while")
"""Words with a meaning of their own at the start of a command."""
BASH_ONLY = names("function select coproc [[ ]] time")
_FOREIGN = names("function select coproc")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def parse(text: str) -> Script:
    """The tree of ``text``. Raises ShellSyntaxError where it is not understood, or not by both grammars."""
    parsed = _parsed(text)
    if isinstance(parsed, ShellSyntaxError):
        raise ShellSyntaxError(parsed.reason, parsed.part)
    return parsed


@lru_cache(maxsize=4)
def _parsed(text: str) -> Script | ShellSyntaxError:
    """Kept for a moment: the reader, the cheatsheet and the search for secret paths ask for the same text in turn."""
    try:
        return _parse(text)
    except ShellSyntaxError as error:
        return error
    except RecursionError:
        return ShellSyntaxError("the command is nested too deep", "")


def _parse(text: str) -> Script:
    if len(text.encode("utf-8", "surrogateescape")) > MAX_BYTES:
        raise ShellSyntaxError(f"the command is longer than {MAX_BYTES} bytes", "")
    control = _CONTROL.search(text)
    if control:
        raise ShellSyntaxError(f"the command holds the control character {control.group()!r}", "")
    marks = Marks()
    parser = Parser(text, 0, len(text), depth=0, nested=False, marks=marks)
    body = parser.whole()
    grammar.cross_check(text, marks)
    return Script(body, marks)


def _nested(reader: WordReader, closer: str) -> Sequence:
    """The commands inside of a substitution; leaves ``reader`` at the closing character."""
    inner = Parser(reader.text, reader.pos, reader.stop, depth=reader.depth + 1, nested=True, marks=reader.marks)
    body = inner.sequence(frozenset({")"}) if closer == ")" else frozenset())
    inner.skip_newlines()
    if closer == "`" and inner.pos != inner.stop:
        inner.fail("a command was expected")
    reader.pos = inner.pos
    return body


class Parser(SimpleReader):
    """Recursive descent over one text or one part of it."""

    def __init__(self, text: str, pos: int, stop: int, *, depth: int, nested: bool, marks: Marks) -> None:
        super().__init__(text, pos, stop, depth=depth, nested=nested, marks=marks)
        self.sub = _nested

    # --- lists ------------------------------------------------------------------------------------------------------

    def whole(self) -> Sequence:
        body = self.sequence(frozenset())
        self.skip_newlines()
        if self.pos != self.stop:
            self.fail("a command was expected")
        if self.pending:
            self.fail("a here-document has no body", self.pending[0][0].start)
        return body

    def sequence(self, enders: frozenset[str]) -> Sequence:
        """Commands up to one of ``enders`` (operators or reserved words) or the end; the ender stays."""
        items: list[Item] = []
        while True:
            self.skip_newlines()
            if self.pos >= self.stop or self.operator() in enders or self.bare_word() in enders:
                return Sequence(tuple(items))
            item = self._item()
            op = self.operator()
            if op == "&":
                item = Item(item.pipelines, item.operators, background=True)
            items.append(item)
            if op in (";", "&", "\n"):
                self.take(op)
            elif op not in enders and self.pos < self.stop:
                self.fail("the shell grammar was not understood")
            else:
                return Sequence(tuple(items))

    def required(self, *enders: str) -> Sequence:
        body = self.sequence(frozenset(enders))
        if not body.items:
            self.fail("a command was expected")
        return body

    def _item(self) -> Item:
        pipelines, operators = [self._pipeline()], []
        while (op := self.operator()) in ("&&", "||"):
            self.take(op)
            self.skip_newlines()
            operators.append(op)
            pipelines.append(self._pipeline())
        return Item(tuple(pipelines), tuple(operators))

    def _pipeline(self) -> Pipeline:
        negated = self.bare_word() == "!"
        if negated:
            self.expect("!")
            if self.peek() == "(":  # a pattern where bash's extglob is on
                self.fail("!( is read differently by different shells")
        commands = [self._command()]
        while (op := self.operator()) in ("|", "|&"):  # |& is a syntax error in dash and ash
            self.take(op)
            self.skip_newlines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _command(self) -> Command:
        if self.depth >= MAX_DEPTH:
            self.fail(f"constructs are nested deeper than {MAX_DEPTH}")
        self.depth += 1
        try:
            return self._compound_or_simple()
        finally:
            self.depth -= 1

    def _compound_or_simple(self) -> Command:
        op = self.operator()
        start = self.pos
        if op == "(":
            if self.peek(1) == "(":  # bash: arithmetic, dash: two subshells
                self.fail("(( is read differently by different shells")
            return self._group("(", ")")
        word = self.bare_word()
        if word in _FOREIGN:
            self.fail(f"`{word}` is read differently by different shells")
        readers: dict[str, Callable[[], Command]] = {
            "{": self._brace_group, "if": self._if, "for": self._for, "case": self._case,
        }  # fmt: skip
        if word in readers:
            return readers[word]()
        if word in ("while", "until"):
            return self._loop(word)
        if word in RESERVED or word == "]]":
            self.fail(f"`{word}` is out of place")
        simple = self.read_simple(start)
        return self._function(simple) if self.operator() == "(" else simple

    def _group(self, opener: str, closer: str) -> Group:
        self.pos += 1
        body = self.required(closer)
        if not self.starts(closer):
            self.fail(f"`{opener}` is not closed")
        self.pos += 1
        return Group("(" if opener == "(" else "{", body, self.redirect_list())

    def _brace_group(self) -> Group:
        return self._group("{", "}")

    def _if(self) -> If:
        self.expect("if")
        conditions, branches = [self.required("then")], []
        self.expect("then")
        branches.append(self.required("elif", "else", "fi"))
        while (word := self.bare_word()) == "elif":
            self.expect("elif")
            conditions.append(self.required("then"))
            self.expect("then")
            branches.append(self.required("elif", "else", "fi"))
        if word == "else":
            self.expect("else")
            branches.append(self.required("fi"))
        self.expect("fi")
        return If(tuple(conditions), tuple(branches), self.redirect_list())

    def _loop(self, word: str) -> Loop:
        self.expect(word)
        condition = self.required("do")
        return Loop(condition, self._do(), self.redirect_list())

    def _do(self) -> Sequence:
        self.expect("do")
        body = self.required("done")
        self.expect("done")
        return body

    def _for(self) -> For:
        self.expect("for")
        if self.operator():
            self.fail("a variable name was expected")
        name = self.read_word().bare
        if name is None or not _IDENTIFIER.match(name):
            self.fail("a variable name was expected")
        words: tuple[Word, ...] | None = None
        if self.bare_word() == "in":
            self.expect("in")
            words = self._plain_words()
            if self.operator() not in (";", "\n"):
                self.fail("`;` was expected")
        if self.operator() == ";":
            self.take(";")
        self.skip_newlines()
        return For(name, words, self._do(), self.redirect_list())

    def _plain_words(self) -> tuple[Word, ...]:
        words = []
        while not self.operator() and self.pos < self.stop:
            words.append(self.read_word())
        return tuple(words)

    def _case(self) -> Case:
        if self.nested:  # old bash takes the bracket of a pattern for the end of the substitution
            self.fail("there is a `case` inside a substitution")
        self.expect("case")
        if self.operator() or self.pos >= self.stop:
            self.fail("a word was expected")
        subject = self.read_word()
        self.expect("in") if self.bare_word() == "in" else self.fail("`in` was expected")
        arms = []
        self.skip_newlines()
        while self.bare_word() != "esac":
            arms.append(self._arm())
            self.skip_newlines()
        self.expect("esac")
        return Case(subject, tuple(arms), self.redirect_list())

    def _arm(self) -> tuple[tuple[Word, ...], Sequence]:
        if self.operator() == "(":
            self.take("(")
        patterns = []
        while True:
            if self.operator() or self.pos >= self.stop:
                self.fail("a pattern was expected")
            patterns.append(self.read_word())
            op = self.operator()
            if op not in ("|", ")"):
                self.fail("`)` was expected")
            self.take(op)
            if op == ")":
                break
        body = self.sequence(frozenset({";;", "esac"}))
        if self.operator() == ";;":
            self.take(";;")
        elif self.bare_word() != "esac":
            self.fail("`;;` was expected")
        return tuple(patterns), body

    def _function(self, head: Simple) -> Function:
        plain = len(head.words) == 1 and not head.assignments and not head.redirects
        name = head.words[0].bare if plain else None
        if name is None or not _IDENTIFIER.match(name):
            self.fail("an opening bracket is out of place")
        start = head.words[0].start
        self.take("(")
        if self.operator() != ")":
            self.fail("an opening bracket is out of place", start)
        self.take(")")
        self.skip_newlines()
        self.marks.programs.discard(start)
        self.marks.functions.add(start)
        if self.operator() == "(" and self.peek(1) != "(":
            body = self._group("(", ")")
        elif self.bare_word() == "{":
            body = self._brace_group()
        else:
            self.fail("the body of a function must be in braces", start)
        return Function(name, body, start)
